// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ILoyaltyToken} from "../../../contracts/interfaces/ILoyaltyToken.sol";
import {IPartnerRegistry} from "../../../contracts/interfaces/IPartnerRegistry.sol";
import {IRewardRules} from "../../../contracts/interfaces/IRewardRules.sol";
import {IRedemptionDesk} from "../../../contracts/interfaces/IRedemptionDesk.sol";
import {IPartnerExchange} from "../../../contracts/interfaces/IPartnerExchange.sol";
import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {ExchangeActs} from "./ExchangeActs.sol";
import {TokenActs} from "./TokenActs.sol";

/// @title Standing of brands, the switches, and an attacker who tries every privileged function.
abstract contract AuthorityActs is TokenActs, ExchangeActs {
    mapping(uint256 brandId => bool) private suspended;
    mapping(uint256 brandId => bool) private stopped;
    mapping(uint256 brandId => bool) private stoppedByMoa;
    bool private allStopped;
    mapping(uint256 brandId => uint256 second) private ownSince;
    uint256 private allSince;

    function stoppedSince(uint256 brandId) internal view override returns (uint256) {
        uint256 own = ownSince[brandId];
        return own == 0 || (allSince != 0 && allSince < own) ? allSince : own;
    }

    function frozen(uint256 brandId) internal view override returns (bool) {
        return stopped[brandId] || stoppedByMoa[brandId] || allStopped;
    }

    function issuing(uint256 brandId) internal view override returns (bool) {
        return !suspended[brandId] && !stopped[brandId] && !stoppedByMoa[brandId] && !allStopped;
    }

    /// @notice A switch is thrown now and then, and soon put back.
    function standing(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        uint256 kind = roll(20);
        if (kind == 0) {
            _as(OPERATOR, abi.encodeCall(IPartnerRegistry.suspend, (brandId)), !suspended[brandId], "suspend");
            suspended[brandId] = true;
        } else if (kind == 1) {
            _as(guardian(brandId), abi.encodeCall(IPartnerRegistry.stop, (brandId)), true, "stop");
            stopped[brandId] = true;
        } else if (kind == 2) {
            _as(MOA_GUARDIAN, abi.encodeCall(IPartnerRegistry.stopByMoa, (brandId)), true, "stopByMoa");
            stoppedByMoa[brandId] = true;
        } else if (kind == 3) {
            _as(MOA_GUARDIAN, abi.encodeCall(IPartnerRegistry.stopAll, ()), true, "stopAll");
            allStopped = true;
        } else {
            _resume();
        }
        bool own = suspended[brandId] || stopped[brandId] || stoppedByMoa[brandId];
        if (own && ownSince[brandId] == 0) ownSince[brandId] = block.timestamp;
        if (allStopped && allSince == 0) allSince = block.timestamp;
    }

    function _resume() private {
        for (uint256 brandId = 1; brandId <= BRANDS; ++brandId) {
            if (suspended[brandId]) _as(OPERATOR, abi.encodeCall(IPartnerRegistry.activate, (brandId)), true, "activate");
            if (stopped[brandId]) _as(owner(brandId), abi.encodeCall(IPartnerRegistry.resume, (brandId)), true, "resume");
            if (stoppedByMoa[brandId]) {
                _as(OPERATOR, abi.encodeCall(IPartnerRegistry.resumeByMoa, (brandId)), true, "resumeByMoa");
            }
            (suspended[brandId], stopped[brandId], stoppedByMoa[brandId]) = (false, false, false);
            ownSince[brandId] = 0;
        }
        if (allStopped) _as(OPERATOR, abi.encodeCall(IPartnerRegistry.resumeAll, ()), true, "resumeAll");
        allStopped = false;
        allSince = 0;
    }

    /// @notice The attacker, the relayer, or a brand's own people call what is not theirs. Nothing may go through.
    function attack(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        address victim = members[rollMember()];
        uint256 value = 1 + roll(1_000);
        uint256 kind = roll(5);
        address sender = kind == 0 ? RELAYER : kind == 1 ? treasurer(brandId) : kind == 2 ? guardian(brandId) : MALLORY;
        (address target, bytes memory data) = _attackOnToken(brandId, victim, value);
        if (roll(2) == 0) (target, data) = _attackOnModules(brandId, victim, value);
        call(sender, target, data, false, "attack");
        ++times[keccak256("attack tried")];
    }

    function _attackOnToken(uint256 brandId, address victim, uint256 value)
        private
        returns (address target, bytes memory data)
    {
        target = address(token(brandId));
        uint256[4] memory lots;
        lots[(mintEpoch(brandId) / 5) % 4] =
            ((mintEpoch(brandId) / 5) << 240) | (value << (48 * (mintEpoch(brandId) % 5)));
        uint256[] memory mints = new uint256[](1);
        mints[0] = (uint256(uint160(victim)) << 96) | uint96(value);
        uint256 kind = roll(10);
        if (kind == 0) data = abi.encodeCall(ILoyaltyToken.mint, (MALLORY, value));
        else if (kind == 1) data = abi.encodeCall(ILoyaltyToken.mintBatch, (mints));
        else if (kind == 2) data = abi.encodeCall(ILoyaltyToken.burn, (victim, value));
        else if (kind == 3) data = abi.encodeCall(ILoyaltyToken.setAside, (victim, value));
        else if (kind == 4) data = abi.encodeCall(ILoyaltyToken.burnAside, (lots));
        else if (kind == 5) data = abi.encodeCall(ILoyaltyToken.giveBack, (MALLORY, lots));
        else if (kind == 6) data = abi.encodeCall(ILoyaltyToken.restore, (MALLORY, lots, true));
        else if (kind == 7) data = abi.encodeCall(ILoyaltyToken.setPolicy, (ILoyaltyToken.Policy.Open));
        else if (kind == 8) data = abi.encodeCall(ILoyaltyToken.setAllowed, (MALLORY, true));
        else data = abi.encodeCall(ILoyaltyToken.initialise, (token(brandId).terms()));
    }

    function _attackOnModules(uint256 brandId, address victim, uint256 value)
        private
        returns (address target, bytes memory data)
    {
        uint256 kind = roll(10);
        if (kind <= 1) {
            target = address(rules);
            IRewardRules.Terms memory terms = ruleTerms[brandId][0];
            data = kind == 0
                ? abi.encodeCall(IRewardRules.publish, (brandId, terms))
                : abi.encodeCall(IRewardRules.announceChange, (brandId, 1, terms));
        } else if (kind == 2) {
            target = address(desk);
            data = abi.encodeCall(IRedemptionDesk.pay, (bytes32(value), brandId, victim, value, "reward"));
        } else if (kind <= 4) {
            target = address(house);
            data = kind == 3
                ? abi.encodeCall(IClearingHouse.book, (1, 2, value, ALL, bytes32(0)))
                : abi.encodeCall(IClearingHouse.unbook, (1, 2, value, bytes32(0)));
        } else if (kind <= 6) {
            target = address(exchange);
            IPartnerExchange.Terms memory terms = agreements[0].terms;
            data = kind == 5
                ? abi.encodeCall(IPartnerExchange.propose, (brandId, brandId, 1 + brandId % BRANDS, terms))
                : abi.encodeCall(IPartnerExchange.proposeChange, (1, 1, terms));
        } else {
            target = address(registry);
            data = kind == 7
                ? abi.encodeCall(IPartnerRegistry.announceTreasury, (brandId, MALLORY))
                : kind == 8
                    ? abi.encodeCall(IPartnerRegistry.activate, (brandId))
                    : abi.encodeCall(IPartnerRegistry.resumeAll, ());
        }
    }

    function _as(address sender, bytes memory data, bool expected, string memory name) private {
        call(sender, address(registry), data, expected, name);
    }
}
