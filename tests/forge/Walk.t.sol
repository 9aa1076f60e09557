// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Handler} from "./invariants/Handler.sol";
import {Test} from "./support/Test.sol";

/// @title One long walk with a known seed: the invariants' acts really happen, all of them and often.
contract Walk is Test {
    /// @dev Shown by forge with -vv.
    event log_named_uint(string act, uint256 count);

    uint256 private constant STEPS = 3_000;

    function test_a_walk_of_three_thousand_acts_reaches_every_act() public {
        Handler handler = new Handler();
        bytes4[] memory acts = handler.acts();
        for (uint256 i = 0; i < STEPS; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("walk", i)));
            (bool done, bytes memory reason) =
                address(handler).call(abi.encodeWithSelector(acts[seed % acts.length], seed >> 8));
            if (!done) {
                assembly ("memory-safe") {
                    revert(add(reason, 32), mload(reason))
                }
            }
            handler.check();
        }
        string[25] memory names = [
            "transfer",
            "transferFrom",
            "transferWithAuthorisation",
            "leave",
            "award",
            "awardBatch",
            "announceChange",
            "takeReturn",
            "debt paid",
            "hold",
            "capture",
            "release",
            "timeout",
            "refund",
            "exchange",
            "payAtPartner",
            "unwind",
            "net",
            "settle",
            "withdraw",
            "declareDefault",
            "payClaims",
            "cureDefault",
            "acceptChange",
            "attack tried"
        ];
        for (uint256 i = 0; i < names.length; ++i) {
            emit log_named_uint(names[i], handler.times(keccak256(bytes(names[i]))));
            vm.assertGe(handler.times(keccak256(bytes(names[i]))), 5, string.concat("too rare: ", names[i]));
        }
        vm.assertEq(handler.times(keccak256("attack")), 0, "an attack went through");
        vm.assertEq(handler.times(keccak256("acceptOwnChange")), 0, "a brand agreed with itself");
    }
}
