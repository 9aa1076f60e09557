// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRewardRules} from "../../../contracts/interfaces/IRewardRules.sol";
import {World} from "./World.sol";

/// @title What a gateway keeps of its awards, and the proofs that it makes from it: written anew, with abi.encode
/// and packed bytes in place of the contract's shifts.
abstract contract Returning is World {
    /// @dev An award as its events and its rule's terms tell it.
    struct Kept {
        IRewardRules.Item item;
        IRewardRules.Terms terms;
        uint256 version;
        uint256 points;
        uint256 expiryEpoch;
        uint256 awardedAt;
        uint256 place;
    }

    /// @dev The awards of a call just made, all of which counted, by the terms in force now.
    function keptOf(uint256 brandId, IRewardRules.Item[] memory items) internal view returns (Kept[] memory kept) {
        kept = new Kept[](items.length);
        uint256 leaves = 0;
        for (uint256 i = 0; i < items.length; ++i) {
            kept[i].item = items[i];
            (kept[i].terms, kept[i].version,) = rules.ruleOf(brandId, items[i].ruleId);
            kept[i].points = paid(kept[i].terms, items[i].baseAmount);
            kept[i].expiryEpoch = token(brandId).expiryEpochOfMint();
            kept[i].awardedAt = block.timestamp;
            if (kept[i].terms.returnWindow > 0 && kept[i].points > 0) kept[i].place = leaves++;
        }
    }

    function keptOf(uint256 brandId, uint256 operationId, uint256 ruleId, address member, uint256 baseAmount)
        internal
        view
        returns (Kept[] memory)
    {
        IRewardRules.Item[] memory items = new IRewardRules.Item[](1);
        items[0] = IRewardRules.Item(operationId, ruleId, member, baseAmount);
        return keptOf(brandId, items);
    }

    /// @dev What terms pay, by hand.
    function paid(IRewardRules.Terms memory terms, uint256 base) internal pure returns (uint256 value) {
        value = terms.numerator;
        if (terms.kind != IRewardRules.Kind.Fixed) {
            uint256 product = base * terms.numerator;
            uint256 remainder = product % terms.denominator;
            value = (product - remainder) / terms.denominator;
            if (terms.rounding == IRewardRules.Rounding.Up && remainder > 0) ++value;
            if (terms.rounding == IRewardRules.Rounding.Nearest && remainder * 2 >= terms.denominator) ++value;
        }
        if (terms.capPerAward > 0 && value > terms.capPerAward) value = terms.capPerAward;
    }

    /// @dev What an award stands at when `kept` of its base amount is kept.
    function standing(IRewardRules.Terms memory terms, uint256 kept) internal pure returns (uint256) {
        return kept == 0 ? 0 : paid(terms, kept);
    }

    function wordsOf(Kept memory kept) internal pure returns (uint256[4] memory words) {
        IRewardRules.Terms memory terms = kept.terms;
        words[0] = kept.item.operationId;
        words[1] = uint256(
            bytes32(
                abi.encodePacked(
                    kept.item.member, uint32(kept.expiryEpoch), uint40(kept.awardedAt), uint24(terms.dayStart)
                )
            )
        );
        words[2] = uint256(
            bytes32(
                abi.encodePacked(
                    uint8(0),
                    uint8(kept.place),
                    uint8(terms.shortfall),
                    uint32(terms.returnWindow),
                    uint24(kept.version),
                    uint32(kept.item.ruleId),
                    uint48(kept.points),
                    uint96(kept.item.baseAmount)
                )
            )
        );
        words[3] = uint256(
            bytes32(
                abi.encodePacked(
                    uint16(0),
                    uint8(terms.rounding),
                    uint8(terms.kind),
                    uint32(terms.noticeSeconds),
                    uint48(terms.capPerMemberDay),
                    uint48(terms.capPerAward),
                    uint48(terms.denominator),
                    uint48(terms.numerator)
                )
            )
        );
    }

    /// @dev The words of the award at `place` and its proof, among those that may come back.
    function provenOf(Kept[] memory kept, uint256 place)
        internal
        pure
        returns (uint256[4] memory words, bytes32[] memory proof)
    {
        bytes32[] memory leaves = new bytes32[](kept.length);
        uint256 count = 0;
        for (uint256 i = 0; i < kept.length; ++i) {
            if (kept[i].terms.returnWindow == 0 || kept[i].points == 0) continue;
            leaves[count++] = keccak256(abi.encode(wordsOf(kept[i])));
        }
        uint256 mine = kept[place].place;
        bytes32[] memory way = new bytes32[](16);
        uint256 steps = 0;
        while (count > 1) {
            way[steps++] = mine ^ 1 < count ? leaves[mine ^ 1] : bytes32(0);
            for (uint256 k = 0; k < count; k += 2) {
                leaves[k / 2] = keccak256(abi.encode(leaves[k], k + 1 < count ? leaves[k + 1] : bytes32(0)));
            }
            (count, mine) = ((count + 1) / 2, mine / 2);
        }
        words = wordsOf(kept[place]);
        proof = new bytes32[](steps);
        for (uint256 k = 0; k < steps; ++k) {
            proof[k] = way[k];
        }
    }
}
