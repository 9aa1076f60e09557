// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IAuthorised} from "../../contracts/interfaces/IAuthorised.sol";
import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {Factory} from "./support/Factory.sol";
import {Signing} from "./support/Signing.sol";

/// @title A delegate or a wallet that knows nothing of ERC-1271, and takes ether.
contract Deaf {
    receive() external payable {}
}

/// @title A wallet that answers yes to everything, but for more gas, or with more data, than anyone should pay for.
contract Greedy {
    bool private immutable LOUD;

    constructor(bool loud) {
        LOUD = loud;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        if (!LOUD) while (gasleft() > 5_000) {}
        bytes4 yes = IERC1271.isValidSignature.selector;
        assembly {
            mstore(0, yes)
            return(0, 500000)
        }
    }
}

/// @title Whose word counts (SPEC 6.16): plain keys first, then wallets, then wallets that are yet to be made.
contract SignaturesTest is Signing {
    bytes32 private constant MAGIC = 0x6492649264926492649264926492649264926492649264926492649264926492;

    uint256 private rule;
    address private ann;

    function setUp() public {
        build();
        rule = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        ann = members[0];
        award(CAFE, rule, 1, ann, 100);
    }

    function _send(address from, uint256 nonce, bytes memory signature) private {
        vm.prank(MALLORY);
        token(CAFE).transferWithAuthorisation(from, members[1], 10, nonce, block.timestamp, signature);
    }

    function _word(uint256 key, address from, uint256 nonce) private view returns (bytes memory) {
        return sign(key, address(token(CAFE)), transferHash(from, members[1], 10, nonce, block.timestamp));
    }

    function _refuse(address from, uint256 nonce, bytes memory signature) private {
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, from));
        token(CAFE).transferWithAuthorisation(from, members[1], 10, nonce, block.timestamp, signature);
    }

    /// @notice SPEC 6.16: an account that an EIP-7702 delegate without ERC-1271 was set on is not locked out.
    function test_a_key_signs_whatever_code_its_account_has() public {
        vm.etch(ann, address(new Deaf()).code);
        _send(ann, 1, _word(keys[0], ann, 1));
        vm.assertEq(token(CAFE).balanceOf(ann), 90, "its own key counts");
        _refuse(ann, 2, _word(keys[1], ann, 2));
        (uint8 v, bytes32 r, bytes32 s) = _permit(keys[0], ann, 5);
        token(CAFE).permit(ann, members[1], 5, block.timestamp, v, r, s);
        vm.assertEq(token(CAFE).allowance(ann, members[1]), 5, "for a permit too");
    }

    /// @notice SPEC 6.16: 65 bytes, v 27 or 28, the lower s; nothing else is a key's.
    function test_one_form_of_a_keys_signature_counts() public {
        bytes memory right = _word(keys[0], ann, 1);
        bytes memory wrong = bytes.concat(right);
        wrong[64] = bytes1(uint8(wrong[64]) - 27);
        _refuse(ann, 1, wrong);
        uint256 s;
        assembly {
            s := mload(add(right, 0x40))
        }
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        wrong = bytes.concat(right);
        assembly {
            mstore(add(wrong, 0x40), sub(order, s))
        }
        wrong[64] = bytes1(uint8(wrong[64]) == 27 ? 28 : 27);
        _refuse(ann, 1, wrong);
        _refuse(ann, 1, "");
        _refuse(ann, 1, bytes.concat(right, hex"00"));
        _refuse(address(0), 1, right);
        _send(ann, 1, right);
    }

    /// @notice SPEC 6.16: a wallet signs by ERC-1271, a permit included; one that knows nothing of it signs nothing.
    function test_a_wallet_signs_by_1271() public {
        uint256 last = MEMBERS - 1;
        award(CAFE, rule, 2, members[last], 100);
        _send(members[last], 1, _word(keys[last], members[last], 1));
        (uint8 v, bytes32 r, bytes32 s) = _permit(keys[last], members[last], 5);
        token(CAFE).permit(members[last], ann, 5, block.timestamp, v, r, s);
        vm.assertEq(token(CAFE).allowance(members[last], ann), 5, "a wallet's permit");
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, members[last]));
        token(CAFE).permit(members[last], ann, 6, block.timestamp, v, r, s);
        _refuse(address(new Deaf()), 1, _word(keys[0], address(0), 1));
    }

    /// @notice SPEC 6.16: a wallet costs whoever submits its word a bounded amount of gas, and one word is read.
    function test_a_wallet_is_asked_within_bounds() public {
        address busy = address(new Greedy(false));
        _refuse(busy, 1, "");
        vm.assertLe(vm.lastCallGas().gasTotalUsed, 1_200_000, "a million for the wallet");
        address loud = address(new Greedy(true));
        award(CAFE, rule, 2, loud, 100);
        _send(loud, 1, "");
        vm.assertEq(token(CAFE).balanceOf(loud), 90, "what it answers beyond a word is not read");
    }

    /// @notice SPEC 6.16: a wallet that is foretold signs by ERC-6492; nothing of its making stays, and another's key,
    /// or a factory that makes something else, counts for nothing.
    function test_a_wallet_that_is_yet_to_be_made_signs_by_6492() public {
        Factory factory = new Factory();
        address key = vm.addr(99);
        address wallet = factory.foretold(key);
        award(CAFE, rule, 2, wallet, 100);
        bytes memory call_ = abi.encodeCall(Factory.make, (key));
        _refuse(wallet, 1, _sealed(factory, call_, _word(98, wallet, 1)));
        _refuse(wallet, 1, _sealed(factory, abi.encodeCall(Factory.make, (vm.addr(98))), _word(99, wallet, 1)));
        _refuse(wallet, 1, _word(99, wallet, 1));
        _refuse(wallet, 1, abi.encodePacked(MAGIC));
        _send(wallet, 1, _sealed(factory, call_, _word(99, wallet, 1)));
        vm.assertEq(token(CAFE).balanceOf(wallet), 90, "its word counts");
        vm.assertEq(factory.made(), 0, "what its factory did is undone");
        vm.assertEq(wallet.code.length, 0, "the wallet included");
        // Once it is there, the same form still counts, and the plain one too.
        factory.make(key);
        _send(wallet, 2, _sealed(factory, call_, _word(99, wallet, 2)));
        _send(wallet, 3, _word(99, wallet, 3));
    }

    /// @notice SPEC 6.16: a factory that comes back in the middle uses the same word no second time.
    function test_a_factory_that_calls_back_gains_nothing() public {
        Factory factory = new Factory();
        address wallet = factory.foretold(vm.addr(99));
        award(CAFE, rule, 2, wallet, 100);
        bytes memory plain = _word(99, wallet, 1);
        factory.callBack(
            address(token(CAFE)),
            abi.encodeCall(token(CAFE).transferWithAuthorisation, (wallet, members[1], 10, 2, block.timestamp, _word(99, wallet, 2)))
        );
        _send(wallet, 1, _sealed(factory, abi.encodeCall(Factory.make, (vm.addr(99))), plain));
        vm.assertEq(token(CAFE).balanceOf(wallet), 90, "once");
        vm.assertFalse(token(CAFE).isNonceUsed(wallet, 2), "what was done in between is undone");
    }

    function _sealed(Factory factory, bytes memory call_, bytes memory inner) private pure returns (bytes memory) {
        return abi.encodePacked(abi.encode(address(factory), call_, inner), MAGIC);
    }

    function _permit(uint256 key, address owner_, uint256 value) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes memory signature = sign(
            key,
            address(token(CAFE)),
            keccak256(
                abi.encode(
                    keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                    owner_,
                    owner_ == ann ? members[1] : ann,
                    value,
                    token(CAFE).nonces(owner_),
                    block.timestamp
                )
            )
        );
        assembly {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
    }
}
