// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ILoyaltyToken} from "../../../contracts/interfaces/ILoyaltyToken.sol";
import {Acts} from "./Acts.sol";

/// @title Members move their points themselves.
abstract contract TokenActs is Acts {
    mapping(uint256 brandId => ILoyaltyToken.Policy) internal policy;
    mapping(uint256 brandId => ILoyaltyToken.Policy) internal nextPolicy;
    mapping(uint256 brandId => uint256 second) internal nextPolicyAt;
    mapping(uint256 brandId => mapping(address => uint256 until)) internal listedUntil;
    mapping(uint256 brandId => mapping(address => mapping(address => uint256))) internal approved;

    function transfer(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        address from = actors[roll(5)];
        address to = _rollReceiver(brandId);
        uint256 value = rollPoints(free(brandId, from));
        bool allowed = _mayMove(brandId, from, to, value);
        call(from, address(token(brandId)), abi.encodeCall(ILoyaltyToken(to).transfer, (to, value)), allowed, "transfer");
        if (allowed) give(brandId, to, takeOldest(brandId, from, value));
    }

    function approve(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        address holder = members[rollMember()];
        uint256 value = roll(3) == 0 ? ALL : roll(20_000);
        vm.prank(holder);
        token(brandId).approve(MALLORY, value);
        approved[brandId][holder][MALLORY] = value;
    }

    /// @notice The attacker spends what was approved to it, and tries what was not.
    function transferFrom(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        address from = members[rollMember()];
        address to = _rollReceiver(brandId);
        uint256 value = rollPoints(free(brandId, from));
        uint256 allowance = approved[brandId][from][MALLORY];
        bool allowed = allowance >= value && _mayMove(brandId, from, to, value);
        bytes memory data = abi.encodeCall(ILoyaltyToken(to).transferFrom, (from, to, value));
        call(MALLORY, address(token(brandId)), data, allowed, "transferFrom");
        if (!allowed) return;
        give(brandId, to, takeOldest(brandId, from, value));
        if (allowance != ALL) approved[brandId][from][MALLORY] -= value;
    }

    function transferWithAuthorisation(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        uint256 member = rollMember();
        address from = members[member];
        address to = _rollReceiver(brandId);
        uint256 value = rollPoints(free(brandId, from));
        address at = address(token(brandId));
        Word memory word = rollWord(member, at);
        seal(word, member, at, transferHash(from, to, value, word.nonce, word.deadline));
        bool allowed = word.valid && _mayMove(brandId, from, to, value);
        bytes memory data = abi.encodeCall(
            ILoyaltyToken(at).transferWithAuthorisation, (from, to, value, word.nonce, word.deadline, word.signature)
        );
        call(word.sender, at, data, allowed, "transferWithAuthorisation");
        if (!allowed) return;
        spentNonce[at][from][word.nonce] = true;
        give(brandId, to, takeOldest(brandId, from, value));
    }

    function leave(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        uint256 member = rollMember();
        uint256 wallet = rollMember();
        address at = address(token(brandId));
        Word memory word = rollWord(member, at);
        bytes32 structHash = leaveHash(members[member], members[wallet], word.nonce, word.deadline);
        seal(word, member, at, structHash);
        // The wallet's consent is missing now and then.
        bool agreed = roll(4) != 0;
        bytes memory consent = agreed ? sign(keys[wallet], at, structHash) : bytes("");
        uint256 value = free(brandId, members[member]);
        bool allowed = word.valid && agreed && member != wallet && value > 0
            && _fitsWhole(brandId, members[member], members[wallet]);
        bytes memory data = abi.encodeCall(
            ILoyaltyToken(at).leave,
            (members[member], members[wallet], word.nonce, word.deadline, word.signature, consent)
        );
        call(word.sender, at, data, allowed, "leave");
        if (!allowed) return;
        spentNonce[at][members[member]][word.nonce] = true;
        give(brandId, members[wallet], takeOldest(brandId, members[member], value));
    }

    function cancel(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        address member = members[rollMember()];
        uint256 nonce = roll(40) * 100;
        address at = address(token(brandId));
        bool allowed = !spentNonce[at][member][nonce];
        call(member, at, abi.encodeCall(ILoyaltyToken(at).cancelAuthorisation, (nonce)), allowed, "cancel");
        spentNonce[at][member][nonce] = true;
    }

    function setPolicy(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        ILoyaltyToken.Policy next = ILoyaltyToken.Policy(roll(3));
        vm.prank(owner(brandId));
        token(brandId).setPolicy(next);
        ILoyaltyToken.Policy now_ = policyNow(brandId);
        // A looser one holds at once, a tighter one after a week; either takes a waiting one's place.
        if (next >= now_) (policy[brandId], nextPolicyAt[brandId]) = (next, 0);
        else (policy[brandId], nextPolicy[brandId], nextPolicyAt[brandId]) = (now_, next, block.timestamp + 7 days);
        address account = actors[roll(actors.length)];
        bool allowed = roll(2) == 0;
        vm.prank(owner(brandId));
        token(brandId).setAllowed(account, allowed);
        uint256 until = listedUntil[brandId][account];
        uint256 week = block.timestamp + 7 days;
        if (allowed) until = type(uint256).max;
        else until = until <= block.timestamp ? 0 : until < week ? until : week;
        listedUntil[brandId][account] = until;
    }

    function policyNow(uint256 brandId) internal view returns (ILoyaltyToken.Policy) {
        bool due = nextPolicyAt[brandId] != 0 && block.timestamp >= nextPolicyAt[brandId];
        return due ? nextPolicy[brandId] : policy[brandId];
    }

    function _rollReceiver(uint256 brandId) private returns (address) {
        uint256 kind = roll(24);
        if (kind == 0) return address(0);
        if (kind == 1) return address(token(brandId));
        return actors[kind % actors.length];
    }

    function _mayMove(uint256 brandId, address from, address to, uint256 value) private view returns (bool) {
        if (to == address(0) || to == address(desk) || to == address(token(brandId))) return false;
        if (!_isActor(to)) return false;
        ILoyaltyToken.Policy now_ = policyNow(brandId);
        bool policyAllows = now_ == ILoyaltyToken.Policy.Open
            || (now_ == ILoyaltyToken.Policy.AllowList && block.timestamp < listedUntil[brandId][to]);
        return policyAllows && value <= free(brandId, from);
    }

    function _isActor(address account) private view returns (bool) {
        for (uint256 i = 0; i < actors.length; ++i) {
            if (actors[i] == account) return true;
        }
        return false;
    }

    /// @dev No lot of the receiver can overflow: the two together are part of a supply that fits. Written out all the same.
    function _fitsWhole(uint256 brandId, address from, address to) private view returns (bool) {
        uint256 now_ = clock(brandId);
        for (uint256 epoch = now_ + 1; epoch <= now_ + WINDOW; ++epoch) {
            if (points[brandId][from][epoch] + points[brandId][to][epoch] > LOT_MAX) return false;
        }
        return true;
    }
}
