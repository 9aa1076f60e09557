// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRedemptionDesk} from "../../../contracts/interfaces/IRedemptionDesk.sol";
import {Acts} from "./Acts.sol";

/// @title Members hold, tills capture, release and refund, strangers release what has timed out.
abstract contract DeskActs is Acts {
    struct HoldModel {
        bytes32 id;
        address member;
        uint256 brandId;
        IRedemptionDesk.State state;
        uint256 value;
        uint256 captured;
        uint256 refunded;
        uint256 until;
        uint256 refundUntil;
        Taken lots;
    }

    HoldModel[] internal holds;
    mapping(uint256 brandId => mapping(address member => uint256 value)) internal held;

    function hold(uint256 seed) external act(seed) {
        uint256 member = rollMember();
        IRedemptionDesk.HoldRequest memory request;
        request.member = members[member];
        request.brandId = rollBrand();
        uint256 available = free(request.brandId, request.member);
        request.points = rollPoints(available);
        request.rewardId = keccak256("reward");
        uint256 kind = roll(16);
        request.holdUntil = block.timestamp + (kind == 0 ? 0 : kind == 1 ? 90 days + 1 : 1 + roll(roll(2) == 0 ? 20 days : 6 hours));
        Word memory word = rollWord(member, address(desk));
        (request.nonce, request.deadline) = (word.nonce, word.deadline);
        seal(word, member, address(desk), holdHash(request));
        bool fine = word.valid && request.points > 0 && request.points <= available
            && kind > 1;
        bytes memory data = abi.encodeCall(IRedemptionDesk.hold, (request, word.signature));
        bytes memory result = call(word.sender, address(desk), data, fine, "hold");
        if (!fine) return;
        spentNonce[address(desk)][request.member][request.nonce] = true;
        Taken memory taken = takeOldest(request.brandId, request.member, request.points);
        give(request.brandId, address(desk), taken);
        held[request.brandId][request.member] += request.points;
        _remember(abi.decode(result, (bytes32)), request, taken);
    }

    function capture(uint256 seed) external act(seed) {
        if (holds.length == 0) return;
        HoldModel storage h = holds[_rollHold()];
        uint256 value = rollPoints(h.value);
        address sender = _rollTill(h.brandId);
        (Taken memory inTime, Taken memory late) = splitInTime(h.brandId, h.lots);
        uint256 since = stoppedSince(h.brandId);
        bool fine = sender == till(h.brandId) && h.state == IRedemptionDesk.State.Held && value > 0
            && value <= sumOf(inTime) && block.timestamp <= h.until && (since == 0 || block.timestamp < since + 1 days);
        call(sender, address(desk), abi.encodeCall(IRedemptionDesk.capture, (h.id, value)), fine, "capture");
        if (!fine) return;
        (Taken memory taken, Taken memory rest) = splitOldest(inTime, value);
        fromDesk(h.brandId, address(0), taken);
        fromDesk(h.brandId, h.member, rest);
        for (uint256 k = 0; k < WINDOW; ++k) {
            vm.assertTrue(late.points[k] == 0 || !isLive(h.brandId, late.clock + 1 + k), "too late, and yet live");
        }
        h.state = IRedemptionDesk.State.Captured;
        h.refundUntil = block.timestamp + 90 days;
        h.captured = value;
        h.lots = taken;
        held[h.brandId][h.member] -= h.value;
    }

    function release(uint256 seed) external act(seed) {
        if (holds.length == 0) return;
        HoldModel storage h = holds[_rollHold()];
        address sender = _rollTill(h.brandId);
        bool fine =
            h.state == IRedemptionDesk.State.Held && (sender == till(h.brandId) || block.timestamp > h.until);
        string memory name = block.timestamp > h.until ? "timeout" : "release";
        call(sender, address(desk), abi.encodeCall(IRedemptionDesk.release, (h.id)), fine, name);
        if (!fine) return;
        fromDesk(h.brandId, h.member, h.lots);
        h.state = IRedemptionDesk.State.Released;
        held[h.brandId][h.member] -= h.value;
        Taken memory none;
        h.lots = none;
    }

    function refund(uint256 seed) external act(seed) {
        if (holds.length == 0) return;
        HoldModel storage h = holds[_rollHold()];
        uint256 value = rollPoints(h.captured - h.refunded);
        uint256 before = roll(8) == 0 ? h.refunded + 1 : h.refunded;
        address sender = _rollTill(h.brandId);
        bool fine = sender == till(h.brandId) && h.state == IRedemptionDesk.State.Captured && value > 0
            && value <= h.captured - h.refunded && before == h.refunded && issuing(h.brandId)
            && block.timestamp <= h.refundUntil;
        (Taken memory kept, Taken memory back) =
            splitOldest(h.lots, fine ? h.captured - h.refunded - value : 0);
        fine = fine && fitsAgain(h.brandId, back);
        call(sender, address(desk), abi.encodeCall(IRedemptionDesk.refund, (h.id, value, before)), fine, "refund");
        if (!fine) return;
        mintAgain(h.brandId, h.member, back, true);
        h.refunded += value;
        h.lots = kept;
    }

    /// @dev Mostly one of the latest.
    function _rollHold() private returns (uint256) {
        uint256 latest = holds.length < 5 ? holds.length : 5;
        uint256 i = roll(6) == 0 ? roll(holds.length) : holds.length - 1 - roll(latest);
        // Payments at partners are captured already: look for one that is not.
        for (uint256 k = 0; k < 3 && i > 0 && roll(2) == 0 && holds[i].state != IRedemptionDesk.State.Held; ++k) --i;
        return i;
    }

    /// @dev The brand's till mostly; sometimes another brand's, or the attacker.
    function _rollTill(uint256 brandId) private returns (address) {
        uint256 kind = roll(8);
        return kind == 0 ? MALLORY : kind == 1 ? till(1 + brandId % BRANDS) : till(brandId);
    }

    function _remember(bytes32 id, IRedemptionDesk.HoldRequest memory request, Taken memory taken) private {
        vm.assertEq(id, keccak256(abi.encode(request.member, request.nonce)), "a hold's id is known before");
        HoldModel storage h = holds.push();
        (h.id, h.member, h.brandId, h.value) = (id, request.member, request.brandId, request.points);
        (h.until, h.lots, h.state) = (request.holdUntil, taken, IRedemptionDesk.State.Held);
    }

    /// @dev A payment at a partner is a hold captured at once.
    function rememberPayment(bytes32 id, address member, uint256 brandId, uint256 value, Taken memory taken) internal {
        HoldModel storage h = holds.push();
        (h.id, h.member, h.brandId, h.value, h.captured) = (id, member, brandId, value, value);
        (h.until, h.lots, h.state) = (block.timestamp, taken, IRedemptionDesk.State.Captured);
        h.refundUntil = block.timestamp + 90 days;
    }
}
