// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Model} from "./Model.sol";

/// @title What all acts share: dice, time, and members' words that are sometimes not theirs.
abstract contract Acts is Model {
    /// @dev A member's word as it will be submitted. `valid`: the contract must accept it.
    struct Word {
        address sender;
        uint256 nonce;
        uint256 deadline;
        bytes signature;
        bool valid;
    }

    uint256 private dice;

    /// @dev Every act begins here: its dice are its own seed, and a little time may pass.
    modifier act(uint256 seed) {
        dice = seed;
        if (roll(4) == 0) vm.warp(block.timestamp + roll(90 minutes));
        _;
    }

    /// @dev What switches and suspension let through; written where they are thrown.
    function issuing(uint256 brandId) internal view virtual returns (bool);

    /// @dev Since when the brand may not issue; 0: it may.
    function stoppedSince(uint256 brandId) internal view virtual returns (uint256);

    /// @dev A switch holds the brand's collateral back.
    function frozen(uint256 brandId) internal view virtual returns (bool);

    /// @dev 0 .. sides - 1.
    function roll(uint256 sides) internal returns (uint256) {
        dice = uint256(keccak256(abi.encode(dice)));
        return dice % sides;
    }

    function rollMember() internal returns (uint256) {
        return roll(MEMBERS);
    }

    function rollBrand() internal returns (uint256) {
        return 1 + roll(BRANDS);
    }

    /// @dev Mostly within what there is; sometimes all of it, one more, or nothing.
    function rollPoints(uint256 available) internal returns (uint256) {
        uint256 kind = roll(12);
        if (kind == 0) return available + 1;
        if (kind == 1) return 0;
        if (kind <= 3) return available;
        return available == 0 ? roll(3) : 1 + roll(available);
    }

    /// @dev Nonce and deadline; few nonces, so that some come twice.
    function rollWord(uint256 member, address verifier) internal returns (Word memory word) {
        word.nonce = roll(40) * 100;
        word.deadline = block.timestamp + roll(3);
        if (roll(16) == 0) --word.deadline;
        if (roll(16) == 0) word.deadline = block.timestamp - 1;
        word.valid = word.deadline >= block.timestamp && !spentNonce[verifier][members[member]][word.nonce];
    }

    /// @dev Signs: mostly the member's key, submitted by anyone; sometimes another key, another message or nothing.
    function seal(Word memory word, uint256 member, address verifier, bytes32 structHash) internal {
        uint256 kind = roll(16);
        word.sender = kind % 2 == 0 ? RELAYER : MALLORY;
        if (kind == 0) {
            word.signature = sign(keys[(member + 1) % MEMBERS], verifier, structHash);
            word.valid = false;
        } else if (kind == 1) {
            word.valid = false;
        } else if (kind == 2) {
            word.signature = sign(keys[member], verifier, keccak256(abi.encode(structHash)));
            word.valid = false;
        } else if (kind == 3) {
            // Another contract's domain.
            word.signature = sign(keys[member], verifier == address(desk) ? address(exchange) : address(desk), structHash);
            word.valid = false;
        } else if (kind == 4) {
            word.sender = members[member];
        } else {
            word.signature = sign(keys[member], verifier, structHash);
        }
    }

    /// @dev Calls as `sender`; the call goes through exactly if the model says so.
    function call(address sender, address target, bytes memory data, bool expected, string memory name)
        internal
        returns (bytes memory result)
    {
        bool done;
        vm.prank(sender);
        (done, result) = target.call(data);
        if (done && !expected) vm.assertTrue(false, string.concat("went through against the rules: ", name));
        if (!done && expected) {
            vm.assertEq(result, "", string.concat("refused against the rules: ", name));
            vm.assertTrue(false, string.concat("refused against the rules: ", name));
        }
        if (done) ++times[keccak256(bytes(name))];
    }

    /// @notice Time passes: to an edge of a brand's epochs exactly, next to it, within it, or over a whole turn of the ring.
    function wait(uint256 seed) external act(seed) {
        uint256 length = epochSeconds(roll(3) == 0 ? CAFE : BOOKS);
        uint256 edge = START + ((block.timestamp - START) / length + 1) * length;
        uint256 kind = roll(8);
        if (kind <= 1) vm.warp(edge);
        else if (kind == 2) vm.warp(edge - 1);
        else if (kind == 3) vm.warp(edge + 1);
        else if (kind <= 5) vm.warp(block.timestamp + roll(6 hours));
        else if (kind == 6 && roll(3) == 0) vm.warp(block.timestamp + roll(5 days));
        else if (roll(6) == 0) vm.warp(block.timestamp + length * (16 + roll(6)));
        ++times[keccak256("wait")];
    }
}
