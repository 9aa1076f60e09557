// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IRedemptionDesk} from "../../../contracts/interfaces/IRedemptionDesk.sol";
import {IPartnerExchange} from "../../../contracts/interfaces/IPartnerExchange.sol";
import {World} from "./World.sol";

/// @title Members' signatures, written from the type strings in the interfaces' NatSpec and ERC-5267 alone.
abstract contract Signing is World {
    function sign(uint256 key, address verifier, bytes32 structHash) internal view returns (bytes memory) {
        (, string memory name, string memory version, uint256 chainId, address at,,) = IERC5267(verifier).eip712Domain();
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                chainId,
                at
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return abi.encodePacked(r, s, v);
    }

    function transferHash(address from, address to, uint256 points, uint256 nonce, uint256 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                keccak256("TransferAuthorisation(address from,address to,uint256 points,uint256 nonce,uint256 deadline)"),
                from,
                to,
                points,
                nonce,
                deadline
            )
        );
    }

    function leaveHash(address member, address wallet, uint256 nonce, uint256 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                keccak256("Leave(address member,address wallet,uint256 nonce,uint256 deadline)"),
                member,
                wallet,
                nonce,
                deadline
            )
        );
    }

    function holdHash(IRedemptionDesk.HoldRequest memory request) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "Hold(address member,uint256 brandId,uint256 points,bytes32 rewardId,uint256 holdUntil,uint256 nonce,uint256 deadline)"
                ),
                request
            )
        );
    }

    function exchangeHash(IPartnerExchange.Quote memory quote) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "Exchange(address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 minimumOut,uint256 nonce,uint256 deadline)"
                ),
                quote
            )
        );
    }

    function payHash(IPartnerExchange.Quote memory q, bytes32 rewardId) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "PayAtPartner(address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 price,bytes32 rewardId,uint256 nonce,uint256 deadline)"
                ),
                q.member,
                q.agreementId,
                q.version,
                q.pointsIn,
                q.minimumOut,
                rewardId,
                q.nonce,
                q.deadline
            )
        );
    }

    function unwindHash(address member, bytes32 exchangeId, uint256 nonce, uint256 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                keccak256("Unwind(address member,bytes32 exchangeId,uint256 nonce,uint256 deadline)"),
                member,
                exchangeId,
                nonce,
                deadline
            )
        );
    }
}
