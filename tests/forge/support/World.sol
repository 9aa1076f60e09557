// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {PartnerRegistry} from "../../../contracts/PartnerRegistry.sol";
import {LoyaltyToken} from "../../../contracts/LoyaltyToken.sol";
import {RewardRules} from "../../../contracts/RewardRules.sol";
import {RedemptionDesk} from "../../../contracts/RedemptionDesk.sol";
import {PartnerExchange} from "../../../contracts/PartnerExchange.sol";
import {ClearingHouse} from "../../../contracts/ClearingHouse.sol";
import {OpeningBalances} from "../../../contracts/OpeningBalances.sol";
import {IPartnerRegistry} from "../../../contracts/interfaces/IPartnerRegistry.sol";
import {ILoyaltyToken} from "../../../contracts/interfaces/ILoyaltyToken.sol";
import {IRewardRules} from "../../../contracts/interfaces/IRewardRules.sol";
import {IPartnerExchange} from "../../../contracts/interfaces/IPartnerExchange.sol";
import {Roles} from "../../../contracts/libraries/Roles.sol";
import {Test} from "./Test.sol";
import {Wallet} from "./Wallet.sol";
import {Won} from "./Won.sol";

/// @title One world: Moa's contracts as deployed, three brands, their people, members with keys, an attacker.
/// @notice Cafe: days, 12 of them, two days' grace, open. Books: hours, 15 of them, no grace, allow-list.
/// Gallery: never expires, closed.
abstract contract World is Test {
    uint256 internal constant CAFE = 1;
    uint256 internal constant BOOKS = 2;
    uint256 internal constant GALLERY = 3;
    uint256 internal constant BRANDS = 3;
    uint256 internal constant START = 1_700_000_000;
    uint256 internal constant MEMBERS = 4;

    address internal immutable OPERATOR = address(0x0A11);
    address internal immutable MOA_GUARDIAN = address(0x0A12);
    address internal immutable RELAYER = address(0x0A13);
    address internal immutable TILLS = address(0x0A14);
    address internal immutable RESERVE = address(0x0A15);
    address internal immutable MALLORY = address(0x0BAD);

    AccessManager internal manager;
    PartnerRegistry internal registry;
    RewardRules internal rules;
    RedemptionDesk internal desk;
    PartnerExchange internal exchange;
    ClearingHouse internal house;
    OpeningBalances internal openings;
    Won internal won;
    LoyaltyToken[] internal tokens;
    /// @dev The last is a smart wallet; its key is the last key.
    address[] internal members;
    uint256[] internal keys;

    function owner(uint256 brandId) internal pure returns (address) {
        return address(uint160(0x10000 + brandId * 16 + 1));
    }

    function issuer(uint256 brandId) internal pure returns (address) {
        return address(uint160(0x10000 + brandId * 16 + 2));
    }

    function till(uint256 brandId) internal pure returns (address) {
        return address(uint160(0x10000 + brandId * 16 + 3));
    }

    function treasurer(uint256 brandId) internal pure returns (address) {
        return address(uint160(0x10000 + brandId * 16 + 4));
    }

    function guardian(uint256 brandId) internal pure returns (address) {
        return address(uint160(0x10000 + brandId * 16 + 5));
    }

    function treasury(uint256 brandId) internal pure returns (address) {
        return address(uint160(0x10000 + brandId * 16 + 6));
    }

    /// @dev Token of a brand, ids from 1.
    function token(uint256 brandId) internal view returns (LoyaltyToken) {
        return tokens[brandId - 1];
    }

    function build() internal {
        vm.warp(START);
        _deploy();
        _people();
        _brand("Cafe", 1 days, 12, 2 days, ILoyaltyToken.Policy.Open);
        _brand("Books", 1 hours, 15, 0, ILoyaltyToken.Policy.AllowList);
        _brand("Gallery", 30 days, 0, 0, ILoyaltyToken.Policy.Closed);
        for (uint256 i = 0; i < MEMBERS; i += 2) {
            vm.prank(owner(BOOKS));
            token(BOOKS).setAllowed(members[i], true);
        }
        // Treasurers' roles wait for the manager's setback and their grant delay.
        vm.warp(START + 7 days);
        for (uint256 brandId = 1; brandId <= BRANDS; ++brandId) {
            _grant(brandId, Roles.TREASURER, treasurer(brandId));
        }
        vm.warp(START + 9 days);
    }

    function _deploy() private {
        manager = new AccessManager(address(this));
        registry = new PartnerRegistry(address(manager));
        manager.grantRole(Roles.ADMIN, address(registry), 0);
        manager.grantRole(Roles.OPERATOR, OPERATOR, 0);
        manager.grantRole(Roles.MOA_GUARDIAN, MOA_GUARDIAN, 0);
        manager.setRoleGuardian(Roles.OPERATOR, Roles.MOA_GUARDIAN);
        won = new Won();
        desk = new RedemptionDesk(address(manager), address(registry));
        rules = new RewardRules(address(manager), address(registry), address(desk));
        house = new ClearingHouse(address(manager), address(registry), address(won), 10_000, RESERVE);
        exchange = new PartnerExchange(address(manager), address(registry), address(desk), address(house));
        openings = new OpeningBalances(address(manager), address(registry), address(desk));
        LoyaltyToken implementation = new LoyaltyToken(
            address(manager),
            address(registry),
            address(rules),
            address(desk),
            address(exchange),
            address(openings)
        );
        vm.prank(OPERATOR);
        registry.seal(
            IPartnerRegistry.Modules({
                tokenImplementation: address(implementation),
                rewardRules: address(rules),
                redemptionDesk: address(desk),
                partnerExchange: address(exchange),
                clearingHouse: address(house)
            })
        );
    }

    function _people() private {
        for (uint256 i = 0; i < MEMBERS; ++i) {
            keys.push(uint256(keccak256(abi.encode("member", i))));
            members.push(i + 1 < MEMBERS ? vm.addr(keys[i]) : address(new Wallet(vm.addr(keys[i]))));
        }
    }

    function _brand(
        string memory name,
        uint256 epochSeconds,
        uint256 lifetimeEpochs,
        uint256 graceSeconds,
        ILoyaltyToken.Policy policy
    ) internal {
        uint256 brandId = tokens.length + 1;
        vm.prank(OPERATOR);
        (, address made) = registry.invite(
            IPartnerRegistry.Invitation({
                name: name,
                symbol: name,
                epochSeconds: epochSeconds,
                lifetimeEpochs: lifetimeEpochs,
                graceSeconds: graceSeconds,
                policy: policy,
                owner: owner(brandId),
                treasury: treasury(brandId),
                metadataHash: keccak256(bytes(name))
            })
        );
        tokens.push(LoyaltyToken(made));
        vm.prank(OPERATOR);
        registry.activate(brandId);
        _grant(brandId, Roles.ISSUER, issuer(brandId));
        _grant(brandId, Roles.TILL, till(brandId));
        _grant(brandId, Roles.GUARDIAN, guardian(brandId));
        // The relayer's keys: issuer and till are apart, and nothing else.
        _grant(brandId, Roles.ISSUER, RELAYER);
        _grant(brandId, Roles.TILL, TILLS);
    }

    function _grant(uint256 brandId, uint8 kind, address to) private {
        vm.prank(owner(brandId));
        manager.grantRole(Roles.id(brandId, kind), to, 0);
    }

    /* SHORTHANDS */

    function collateral(uint256 brandId, uint256 amount) internal {
        won.mint(address(this), amount);
        won.approve(address(house), amount);
        house.deposit(brandId, amount);
    }

    function rateRule(uint256 numerator, uint256 denominator, IRewardRules.Rounding rounding)
        internal
        view
        returns (IRewardRules.Terms memory terms)
    {
        terms.activity = "purchase";
        terms.kind = IRewardRules.Kind.Rate;
        terms.rounding = rounding;
        terms.numerator = numerator;
        terms.denominator = denominator;
        terms.budget = type(uint56).max;
        terms.start = block.timestamp;
        terms.end = type(uint40).max;
        terms.noticeSeconds = 1 days;
        terms.textHash = keccak256("text");
    }

    function publish(uint256 brandId, IRewardRules.Terms memory terms) internal returns (uint256 ruleId) {
        vm.prank(owner(brandId));
        return rules.publish(brandId, terms);
    }

    function award(uint256 brandId, uint256 ruleId, uint256 operationId, address member, uint256 baseAmount)
        internal
        returns (uint256)
    {
        vm.prank(issuer(brandId));
        return rules.award(brandId, IRewardRules.Item(operationId, ruleId, member, baseAmount));
    }

    /// @dev One of ours proposes, the other accepts.
    function agree(uint256 fromBrandId, uint256 toBrandId, IPartnerExchange.Terms memory terms)
        internal
        returns (uint256 agreementId)
    {
        vm.prank(owner(fromBrandId));
        agreementId = exchange.propose(fromBrandId, fromBrandId, toBrandId, terms);
        vm.prank(owner(toBrandId));
        exchange.accept(agreementId, keccak256(abi.encode(terms)));
    }
}
