// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Lots} from "../../contracts/libraries/Lots.sol";
import {Proof} from "./Proof.sol";

/// @title Proofs of the packed-lot library, for all words, all amounts and all times.
/// @dev Every use of the library goes through a virtual function, so that `planted/` can put a bug into exactly
/// one of them and show that the proof of it then fails.
contract LotsProof is Proof {
    uint256 internal constant EPOCHS = 16;

    /* THE LIBRARY, ONE STEP AWAY */

    function live(uint256 packed, uint256 group, uint256 clock) public pure virtual returns (uint256) {
        return Lots.live(packed, group, clock);
    }

    function single(uint256 epoch, uint256 amount) public pure virtual returns (uint256) {
        return Lots.single(epoch, amount);
    }

    function merge(uint256 group, uint256 a, uint256 b) public pure virtual returns (uint256) {
        return Lots.merge(group, a, b);
    }

    function sum(uint256 points) public pure virtual returns (uint256) {
        return Lots.sum(points);
    }

    function total(uint256[4] memory lots) public pure virtual returns (uint256) {
        return Lots.total(lots);
    }

    function take(uint256 points, uint256 wanted) public pure virtual returns (uint256 taken, uint256 got) {
        return Lots.take(points, wanted);
    }

    function firstGroup(uint256 clock) public pure virtual returns (uint256) {
        return Lots.firstGroup(clock);
    }

    /* PROOFS */

    /// @notice SPEC 1: what was set is what is read, as long as it lives; and nothing else is set.
    function check_get_after_set(uint16 group, uint256 place, uint48 amount, uint24 clock, uint256 other) public pure {
        vm.assume(place < Lots.LOTS && other < Lots.LOTS);
        uint256 epoch = uint256(group) * Lots.LOTS + place;
        vm.assume(clock < epoch);
        uint256 seen = live(Lots.word(group, single(epoch, amount)), group, clock);

        assert(lot(seen, place) == amount);
        if (other != place) assert(lot(seen, other) == 0);
    }

    /// @notice Adding to one lot leaves the four others and the tag as they were.
    function check_other_lots_untouched(uint256 points, uint256 epoch, uint256 amount, uint256 other) public pure {
        vm.assume(points <= Lots.POINTS_MASK && epoch <= Lots.EPOCH_MAX && amount <= Lots.LOT_MAX && other < Lots.LOTS);
        uint256 place = epoch % Lots.LOTS;
        vm.assume(lot(points, place) + amount <= Lots.LOT_MAX);
        uint256 merged = merge(epoch / Lots.LOTS, points, single(epoch, amount));

        assert(merged <= Lots.POINTS_MASK);
        assert(lot(merged, place) == lot(points, place) + amount);
        if (other != place) assert(lot(merged, other) == lot(points, other));
    }

    /// @notice Two words add lot by lot, exactly, or the whole is refused: no carry walks into a younger lot.
    function check_merge_is_exact_or_refused(uint256 group, uint256 a, uint256 b, uint256 place) public view {
        vm.assume(group < 1 << 16 && a <= Lots.POINTS_MASK && b <= Lots.POINTS_MASK && place < Lots.LOTS);
        try this.merge(group, a, b) returns (uint256 c) {
            assert(lot(c, place) == lot(a, place) + lot(b, place));
            assert(c <= Lots.POINTS_MASK);
        } catch {
            bool overflow = false;
            for (uint256 i = 0; i < Lots.LOTS; ++i) {
                overflow = overflow || lot(a, i) + lot(b, i) > Lots.LOT_MAX;
            }
            assert(overflow);
        }
    }

    /// @notice At any clock a lot of a word counts exactly if the tag is the group's and the lot has not expired.
    function check_live_is_exact(uint256 packed, uint256 group, uint256 clock, uint256 place) public pure {
        vm.assume(group < 1 << 16 && clock < 1 << 64 && place < Lots.LOTS);
        uint256 seen = live(packed, group, clock);

        bool counts = packed >> 240 == group && group * Lots.LOTS + place > clock;
        assert(lot(seen, place) == (counts ? lot(packed, place) : 0));
        assert(seen <= Lots.POINTS_MASK);
    }

    /// @notice The four groups of the window hold every live epoch, in four different words.
    function check_window_covers_sixteen_epochs(uint24 clock, uint24 group, uint256 place) public pure {
        vm.assume(place < Lots.LOTS);
        uint256 epoch = uint256(group) * Lots.LOTS + place;
        vm.assume(epoch > clock && epoch <= uint256(clock) + EPOCHS);
        uint256 first = firstGroup(clock);

        assert(group >= first && group < first + Lots.WORDS);
    }

    /// @notice No leak from one turn of the ring to another: of all groups that want a word, one is in the window, and a
    /// word of any other turn counts for nothing in it.
    function check_no_leak_between_turns(uint256 points, uint256 clock, uint256 group, uint256 other) public pure {
        vm.assume(clock < 1 << 32 && points <= Lots.POINTS_MASK && other < 1 << 16);
        uint256 first = firstGroup(clock);
        vm.assume(group >= first && group < first + Lots.WORDS && group < 1 << 16);
        vm.assume(other != group && other & 3 == group & 3);

        assert(other < first || other >= first + Lots.WORDS);
        assert(live(Lots.word(other, points), group, clock) == 0);
    }

    /// @notice Any word: its sum is the sum of its five lots.
    function check_sum_of_parts(uint256 points) public pure {
        points &= Lots.POINTS_MASK;
        assert(sum(points) == lot(points, 0) + lot(points, 1) + lot(points, 2) + lot(points, 3) + lot(points, 4));
    }

    /// @notice Any four words: their total is the sum of their twenty lots.
    function check_total_of_parts(uint256[4] memory lots) public pure {
        uint256 parts = 0;
        for (uint256 i = 0; i < Lots.WORDS; ++i) {
            for (uint256 place = 0; place < Lots.LOTS; ++place) {
                parts += lot(lots[i], place);
            }
        }
        assert(total(lots) == parts);
    }

    /// @notice Any word at any time: what lives and what has expired make, lot by lot, the whole; so their sums do too.
    function check_live_and_expired_make_the_whole(uint256 packed, uint256 clock, uint256 place) public pure {
        vm.assume(clock < 1 << 64 && place < Lots.LOTS);
        uint256 seen = live(packed, packed >> 240, clock);
        uint256 whole = packed & Lots.POINTS_MASK;

        assert(seen & ~whole == 0);
        assert(lot(seen, place) + lot(whole - seen, place) == lot(whole, place));
    }

    /// @notice What is taken: as much as wanted or all there is, never more of a lot than it holds.
    function check_take_is_exact(uint256 points, uint256 wanted, uint256 place) public pure {
        vm.assume(points <= Lots.POINTS_MASK && place < Lots.LOTS);
        uint256 all = parts_of(points);
        (uint256 taken, uint256 got) = take(points, wanted);

        assert(got == (wanted < all ? wanted : all));
        assert(parts_of(taken) == got);
        assert(taken <= Lots.POINTS_MASK);
        assert(lot(taken, place) <= lot(points, place));
    }

    /// @notice After a lot has given what it can, less is wanted than the younger lots hold, or nothing: so five rounds of
    /// `take` are enough for what is less than the sum. (halmos cannot rule the sixth round out while it walks.)
    function check_take_leaves_less_than_the_rest(uint48 part, uint256 rest, uint256 wanted) public pure {
        vm.assume(rest <= 4 * Lots.LOT_MAX && wanted < part + rest);
        (, uint256 got) = take(part, wanted);
        uint256 left = wanted - got;

        assert(left == 0 || left < rest);
    }

    /// @notice Oldest first: nothing is taken of a lot while an older one still has points.
    function check_take_is_oldest_first(uint256 points, uint256 wanted, uint256 older, uint256 younger) public pure {
        vm.assume(points <= Lots.POINTS_MASK && older < younger && younger < Lots.LOTS);
        (uint256 taken,) = take(points, wanted);

        if (lot(taken, younger) > 0) assert(lot(taken, older) == lot(points, older));
    }

    /* HELPERS */

    /// @dev Written apart from the library on purpose.
    function lot(uint256 points, uint256 place) internal pure returns (uint256) {
        return (points >> (48 * place)) & 0xffffffffffff;
    }

    function parts_of(uint256 points) internal pure returns (uint256) {
        return lot(points, 0) + lot(points, 1) + lot(points, 2) + lot(points, 3) + lot(points, 4);
    }
}
