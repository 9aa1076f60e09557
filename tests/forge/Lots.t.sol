// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Lots} from "../../contracts/libraries/Lots.sol";
import {Test} from "./support/Test.sol";

/// @title Splitting packed lots, against lots in a plain array. (All else of the library is proved in tests/halmos.)
contract LotsTest is Test {
    /// @notice SPEC 3: a capture takes the oldest lots of a hold, a refund gives the newest captured back.
    function testFuzz_split_takes_the_oldest_and_loses_nothing(uint256[16] memory amounts, uint256 clock, uint256 amount)
        public
        pure
    {
        clock = bound(clock, 0, Lots.EPOCH_MAX - 16);
        uint256[4] memory words;
        uint256 all = 0;
        for (uint256 k = 0; k < 16; ++k) {
            amounts[k] = amounts[k] % 3 == 0 ? 0 : bound(amounts[k], 0, Lots.LOT_MAX);
            uint256 epoch = clock + 1 + k;
            if (amounts[k] > 0) words[epoch / 5 % 4] |= (epoch / 5 << 240) | (amounts[k] << (48 * (epoch % 5)));
            all += amounts[k];
        }
        amount = bound(amount, 0, all);
        (uint256[4] memory oldest, uint256[4] memory rest) = Lots.split(words, clock, amount);

        uint256 left = amount;
        for (uint256 k = 0; k < 16; ++k) {
            uint256 part = amounts[k] < left ? amounts[k] : left;
            left -= part;
            vm.assertEq(_lot(oldest, clock + 1 + k), part, "oldest first");
            vm.assertEq(_lot(rest, clock + 1 + k), amounts[k] - part, "the rest");
        }
        vm.assertEq(Lots.total(oldest), amount, "total of the oldest");
        vm.assertEq(Lots.total(rest), all - amount, "total of the rest");
    }

    function _lot(uint256[4] memory words, uint256 epoch) private pure returns (uint256) {
        uint256 word = words[epoch / 5 % 4];
        return word >> 240 == epoch / 5 ? (word >> (48 * (epoch % 5))) & 0xffffffffffff : 0;
    }
}
