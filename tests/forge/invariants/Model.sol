// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Signing} from "../support/Signing.sol";

/// @title What the books must say, kept in the plainest way: points by brand, account and expiry epoch.
/// @dev Written from SPECIFICATION.md and the interfaces' NatSpec, without the packed words and their arithmetic.
abstract contract Model is Signing {
    uint256 internal constant WINDOW = 16;
    uint256 internal constant LOT_MAX = 2 ** 48 - 1;
    uint256 internal constant ALL = type(uint256).max;

    /// @dev Points by expiry: element k belongs to epoch `clock + 1 + k` of the clock when it was taken.
    struct Taken {
        uint256 clock;
        uint256[16] points;
    }

    /// @dev Everyone who can come to hold a point: members, the attacker, the desk, and a contract that accepts them.
    address[] internal actors;
    mapping(uint256 brandId => mapping(address account => mapping(uint256 epoch => uint256 points))) internal points;
    mapping(uint256 brandId => mapping(uint256 epoch => uint256 points)) internal minted;
    /// @dev Of the points in a lot of an account, those that had their grace.
    mapping(uint256 brandId => mapping(address account => mapping(uint256 epoch => uint256 points))) internal hadGrace;
    mapping(address verifier => mapping(address member => mapping(uint256 nonce => bool used))) internal spentNonce;
    /// @dev How often each act went through: a campaign in which nothing happens proves nothing.
    mapping(bytes32 act => uint256 count) public times;

    function epochSeconds(uint256 brandId) internal pure returns (uint256) {
        return brandId == CAFE ? 1 days : brandId == BOOKS ? 1 hours : 30 days;
    }

    function lifetime(uint256 brandId) internal pure returns (uint256) {
        return brandId == CAFE ? 12 : brandId == BOOKS ? 15 : 0;
    }

    function grace(uint256 brandId) internal pure returns (uint256) {
        return brandId == CAFE ? 2 days : 0;
    }

    function clock(uint256 brandId) internal view returns (uint256) {
        return lifetime(brandId) == 0 ? 0 : (block.timestamp - START) / epochSeconds(brandId);
    }

    function mintEpoch(uint256 brandId) internal view returns (uint256) {
        return clock(brandId) + 1 + lifetime(brandId);
    }

    /// @dev Whole epochs of grace: a lot that had its grace ends within it.
    function graceEpochs(uint256 brandId) internal pure returns (uint256) {
        return grace(brandId) / epochSeconds(brandId);
    }

    /// @dev A till may capture what was held of a lot until its end and the grace have passed.
    function isInTime(uint256 brandId, uint256 epoch) internal view returns (bool) {
        return lifetime(brandId) == 0 || block.timestamp < START + epoch * epochSeconds(brandId) + grace(brandId);
    }

    /// @dev Parts remembered points into those that may still be captured and those that it is too late for.
    function splitInTime(uint256 brandId, Taken memory whole)
        internal
        view
        returns (Taken memory inTime, Taken memory late)
    {
        inTime.clock = late.clock = whole.clock;
        for (uint256 k = 0; k < WINDOW; ++k) {
            bool fine = isInTime(brandId, whole.clock + 1 + k);
            (inTime.points[k], late.points[k]) = fine ? (whole.points[k], uint256(0)) : (uint256(0), whole.points[k]);
        }
    }

    function free(uint256 brandId, address account) internal view returns (uint256 sum) {
        uint256 now_ = clock(brandId);
        for (uint256 epoch = now_ + 1; epoch <= now_ + WINDOW; ++epoch) {
            sum += points[brandId][account][epoch];
        }
    }

    function sumOf(Taken memory taken) internal pure returns (uint256 sum) {
        for (uint256 k = 0; k < WINDOW; ++k) {
            sum += taken.points[k];
        }
    }

    /// @dev Takes the oldest live points of an account; the caller made sure that there are enough.
    function takeOldest(uint256 brandId, address account, uint256 wanted) internal returns (Taken memory taken) {
        taken.clock = clock(brandId);
        for (uint256 k = 0; k < WINDOW && wanted > 0; ++k) {
            uint256 epoch = taken.clock + 1 + k;
            uint256 part = points[brandId][account][epoch];
            if (part > wanted) part = wanted;
            points[brandId][account][epoch] -= part;
            taken.points[k] = part;
            wanted -= part;
        }
        vm.assertEq(wanted, 0, "model: more was taken than there is");
    }

    /// @dev Takes points of the lot `first`, then the latest; the caller made sure that there are enough.
    function takeLatest(uint256 brandId, address account, uint256 wanted, uint256 first)
        internal
        returns (Taken memory taken)
    {
        taken.clock = clock(brandId);
        if (first > taken.clock) wanted -= _takeOf(brandId, account, wanted, first, taken);
        for (uint256 epoch = taken.clock + WINDOW; epoch > taken.clock && wanted > 0; --epoch) {
            wanted -= _takeOf(brandId, account, wanted, epoch, taken);
        }
        vm.assertEq(wanted, 0, "model: more was taken than there is");
    }

    function _takeOf(uint256 brandId, address account, uint256 wanted, uint256 epoch, Taken memory taken)
        private
        returns (uint256 part)
    {
        part = points[brandId][account][epoch];
        if (part > wanted) part = wanted;
        points[brandId][account][epoch] -= part;
        taken.points[epoch - taken.clock - 1] += part;
    }

    /// @dev Parts remembered points into the oldest `amount` and the rest.
    function splitOldest(Taken memory whole, uint256 amount)
        internal
        pure
        returns (Taken memory oldest, Taken memory rest)
    {
        oldest.clock = rest.clock = whole.clock;
        for (uint256 k = 0; k < WINDOW; ++k) {
            uint256 part = whole.points[k] < amount ? whole.points[k] : amount;
            amount -= part;
            oldest.points[k] = part;
            rest.points[k] = whole.points[k] - part;
        }
    }

    function isLive(uint256 brandId, uint256 epoch) internal view returns (bool) {
        return epoch > clock(brandId);
    }

    function give(uint256 brandId, address account, Taken memory taken) internal {
        for (uint256 k = 0; k < WINDOW; ++k) {
            points[brandId][account][taken.clock + 1 + k] += taken.points[k];
        }
    }

    function burnt(uint256 brandId, Taken memory taken) internal {
        for (uint256 k = 0; k < WINDOW; ++k) {
            minted[brandId][taken.clock + 1 + k] -= taken.points[k];
        }
    }

    function mintOne(uint256 brandId, address account, uint256 epoch, uint256 amount) internal {
        points[brandId][account][epoch] += amount;
        minted[brandId][epoch] += amount;
    }

    /// @dev Would `taken` fit when minted again as it was, expired points by the brand's grace?
    function fitsAgain(uint256 brandId, Taken memory taken) internal view returns (bool) {
        // Only Cafe has grace, and its budgets are far from filling a lot.
        for (uint256 k = 0; k < WINDOW; ++k) {
            uint256 epoch = taken.clock + 1 + k;
            if (isLive(brandId, epoch) && minted[brandId][epoch] + taken.points[k] > LOT_MAX) return false;
        }
        return true;
    }

    /// @dev Mints `taken` again as it was; expired points stay gone, or have the brand's grace once.
    function mintAgain(uint256 brandId, address account, Taken memory taken, bool graced) internal {
        for (uint256 k = 0; k < WINDOW; ++k) {
            uint256 epoch = taken.clock + 1 + k;
            uint256 part = taken.points[k];
            if (part == 0) continue;
            if (isLive(brandId, epoch)) {
                mintOne(brandId, account, epoch, part);
                continue;
            }
            uint256 later = epoch + graceEpochs(brandId);
            if (!graced || !isLive(brandId, later)) continue;
            uint256 had = hadGrace[brandId][account][epoch];
            uint256 again = part < had ? part : had;
            hadGrace[brandId][account][epoch] -= again;
            hadGrace[brandId][account][later] += part - again;
            mintOne(brandId, account, later, part - again);
        }
    }

    /// @dev Gives the desk's `taken` back to a member, or burns it (`account` 0); what has expired is gone.
    function fromDesk(uint256 brandId, address account, Taken memory taken) internal {
        for (uint256 k = 0; k < WINDOW; ++k) {
            uint256 epoch = taken.clock + 1 + k;
            uint256 part = taken.points[k];
            if (part == 0) continue;
            if (isLive(brandId, epoch)) {
                points[brandId][address(desk)][epoch] -= part;
                if (account == address(0)) minted[brandId][epoch] -= part;
                else points[brandId][account][epoch] += part;
            }
        }
    }

    /// @dev The published packing: word (epoch / 5) % 4 holds 48 bits for each of its five epochs and the tag epoch / 5.
    function pack(Taken memory taken) internal pure returns (uint256[4] memory words) {
        for (uint256 k = 0; k < WINDOW; ++k) {
            if (taken.points[k] == 0) continue;
            uint256 epoch = taken.clock + 1 + k;
            uint256 group = epoch / 5;
            words[group % 4] |= (group << 240) | (taken.points[k] << (48 * (epoch % 5)));
        }
    }
}
