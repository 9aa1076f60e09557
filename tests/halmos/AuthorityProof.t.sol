// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {IRedemptionDesk} from "../../contracts/interfaces/IRedemptionDesk.sol";
import {IPartnerExchange} from "../../contracts/interfaces/IPartnerExchange.sol";
import {ILoyaltyToken} from "../../contracts/interfaces/ILoyaltyToken.sol";
import {LoyaltyToken} from "../../contracts/LoyaltyToken.sol";
import {RewardRules} from "../../contracts/RewardRules.sol";
import {RedemptionDesk} from "../../contracts/RedemptionDesk.sol";
import {PartnerExchange} from "../../contracts/PartnerExchange.sol";
import {Proof} from "./Proof.sol";
import {TokenProof} from "./TokenProof.t.sol";

/// @title Stands for every contract that the proved one asks: each answers yes, with anything.
contract Yes is Proof {
    /// @dev The one role, and the one account, that is refused.
    uint64 public roleRefused;
    address public accountRefused;
    /// @dev What returns asked the token to take.
    uint256 public asked;

    function refuse(uint64 role, address account) external {
        (roleRefused, accountRefused) = (role, account);
    }

    function hasRole(uint64 role, address account) external view returns (bool, uint32) {
        return (!(role == roleRefused && account == accountRefused), 0);
    }

    function issuingToken(uint256) external view returns (address) {
        return address(this);
    }

    function issuingPair(uint256, uint256) external view returns (address, address) {
        return (address(this), address(this));
    }

    function tokenOf(uint256) external view returns (address) {
        return address(this);
    }

    function mintLot() external pure returns (uint256, uint256) {
        return (1, 2 ** 48 - 1);
    }

    function takeBack(address, uint256 points, uint256, bool) external returns (uint256, uint256, uint256) {
        asked += points;
        return (points, 0, 0);
    }

    function mintBatch(uint256[] calldata) external {}
    function mint(address, uint256) external {}
    function book(uint256, uint256, uint256, uint256, bytes32) external {}

    function setAside(address, uint256) external pure returns (uint256[4] memory lots, uint256 epoch) {
        lots[0] = 1;
        epoch = 0;
    }

    function burn(address, uint256) external pure returns (uint256[4] memory lots, uint256 epoch) {
        lots[0] = 1;
        epoch = 0;
    }
}

/// @title No path mints without the rules' role.
contract MintProof is TokenProof {
    Yes private yes;
    RewardRules private rules;

    function setUp() public {
        build(0);
        yes = new Yes();
        rules = new RewardRules(address(yes), address(yes), DESK);
        svm.enableSymbolicStorage(address(rules));
    }

    /// @notice Whoever is not one of Moa's contracts mints nothing, in any state, with any arguments.
    function check_no_stranger_mints(
        address caller,
        address to,
        uint256 amount,
        uint256[4] memory lots,
        bool graced
    ) public {
        vm.assume(caller != RULES && caller != EXCHANGE && caller != DESK && caller != REGISTRY && caller != OPENINGS);
        uint256[] memory lines = new uint256[](1);
        lines[0] = amount;
        ILoyaltyToken.LotsLine[] memory old = new ILoyaltyToken.LotsLine[](1);
        old[0] = ILoyaltyToken.LotsLine(to, amount, lots);
        bytes[6] memory calls = [
            abi.encodeCall(token.mint, (to, amount)),
            abi.encodeCall(token.mintBatch, (lines)),
            abi.encodeCall(token.mintLots, (old)),
            abi.encodeCall(token.takeBack, (to, amount, lots[0], true)),
            abi.encodeCall(token.restore, (to, lots, graced)),
            abi.encodeCall(token.giveBack, (to, lots))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(caller);
            (bool done,) = address(token).call(calls[i]);
            assert(!done);
        }
    }

    /// @notice Every role but the brand's issuer's is not enough to award, in any state of the rules.
    function check_nobody_awards_without_the_issuers_role(address caller, uint32 brandId, IRewardRules.Item memory item)
        public
    {
        yes.refuse(uint64(uint256(brandId) * 256 + 2), caller);
        vm.assume(brandId != 0);
        vm.prank(caller);
        (bool done,) = address(rules).call(abi.encodeCall(IRewardRules.award, (brandId, item)));
        assert(!done);
    }

    function check_nobody_awards_batches_without_the_issuers_role(
        address caller,
        uint32 brandId,
        IRewardRules.Item memory item
    ) public {
        yes.refuse(uint64(uint256(brandId) * 256 + 2), caller);
        vm.assume(brandId != 0);
        IRewardRules.Item[] memory items = new IRewardRules.Item[](1);
        items[0] = item;
        vm.prank(caller);
        (bool done,) = address(rules).call(abi.encodeCall(IRewardRules.awardBatch, (brandId, items)));
        assert(!done);
    }
}

/// @title An award comes back only against itself.
contract ReturnProof is Proof {
    Yes private yes;
    RewardRules private rules;

    function setUp() public {
        yes = new Yes();
        rules = new RewardRules(address(yes), address(yes), address(0xA3));
        svm.enableSymbolicStorage(address(rules));
    }

    /// @notice Whatever came back before, whatever the terms, a return takes at most what the award's own words say
    /// that it gave.
    function check_a_return_never_takes_more_than_the_award_gave(
        uint32 brandId,
        uint256 returnId,
        uint256 baseAmount,
        uint256[4] memory words
    ) public {
        (bool done,) = address(rules).call(
            abi.encodeCall(IRewardRules.takeReturn, (brandId, returnId, baseAmount, words, new bytes32[](0)))
        );
        vm.assume(done);
        assert(yes.asked() <= (words[2] >> 96) & (2 ** 48 - 1));
    }
}

/// @title A debt is made by returns alone.
contract DebtProof is TokenProof {
    function setUp() public {
        build(0);
        // Some owe: without any, no award would look.
        bytes32 slot = bytes32(uint256(6));
        vm.store(address(token), slot, bytes32(uint256(vm.load(address(token), slot)) | (uint256(9) << 216)));
    }

    function check_a_debt_never_grows_by_an_award(address member, address other, uint48 points) public {
        vm.assume(other != member);
        uint256 debt = token.debtOf(member);
        uint256 debtOfOther = token.debtOf(other);
        uint256[] memory lines = new uint256[](1);
        lines[0] = (uint256(uint160(member)) << 96) | points;
        vm.prank(RULES);
        token.mintBatch(lines);

        assert(token.debtOf(member) <= debt);
        assert(debt - token.debtOf(member) <= points);
        assert(token.debtOf(other) == debtOfOther);
    }
}

/// @title An authorisation cannot be used twice, whoever submits it, whatever else it says the second time.
contract OnceProof is TokenProof {
    address private constant MEMBER = address(0xE0A);

    Yes private yes;
    RedemptionDesk private desk;
    PartnerExchange private exchange;

    function setUp() public {
        build(0);
        yes = new Yes();
        desk = new RedemptionDesk(address(yes), address(yes));
        exchange = new PartnerExchange(address(yes), address(yes), address(yes), address(yes));
    }

    function check_a_transfer_authorisation_counts_once(uint256 nonce, address to, uint256 points, uint256 deadline)
        public
    {
        vm.prank(MEMBER);
        token.transferWithAuthorisation(MEMBER, to, points, nonce, deadline, "");
        assert(token.isNonceUsed(MEMBER, nonce));
    }

    /// @notice A used nonce is refused for every message, caller and signature.
    function check_a_used_nonce_moves_nothing(
        address caller,
        uint256 nonce,
        address to,
        uint256 points,
        uint256 deadline
    ) public {
        vm.assume(token.isNonceUsed(MEMBER, nonce));
        bytes memory signature = svm.createBytes(65, "signature");
        vm.prank(caller);
        (bool done,) = address(token).call(
            abi.encodeCall(token.transferWithAuthorisation, (MEMBER, to, points, nonce, deadline, signature))
        );
        assert(!done);
        vm.prank(caller);
        (done,) =
            address(token).call(abi.encodeCall(token.leave, (MEMBER, to, nonce, deadline, signature, signature)));
        assert(!done);
    }

    function check_a_hold_authorisation_counts_once(
        address caller,
        IRedemptionDesk.HoldRequest memory first,
        IRedemptionDesk.HoldRequest memory second
    ) public {
        first.member = second.member = MEMBER;
        second.nonce = first.nonce;
        vm.prank(MEMBER);
        (bool done,) = address(desk).call(abi.encodeCall(IRedemptionDesk.hold, (first, "")));
        vm.assume(done);
        bytes memory signature = svm.createBytes(65, "signature");
        vm.prank(caller);
        (done,) = address(desk).call(abi.encodeCall(IRedemptionDesk.hold, (second, signature)));
        assert(!done);
    }

    function check_a_quote_counts_once(
        address caller,
        IPartnerExchange.Quote memory second,
        uint256 pointsIn,
        uint256 nonce
    ) public {
        _agree();
        IPartnerExchange.Quote memory first =
            IPartnerExchange.Quote(MEMBER, 1, 1, pointsIn, 1, nonce, block.timestamp);
        (second.member, second.nonce) = (MEMBER, nonce);
        vm.prank(MEMBER);
        (bool done,) = address(exchange).call(abi.encodeCall(IPartnerExchange.exchange, (first, "")));
        vm.assume(done);
        bytes memory signature = svm.createBytes(65, "signature");
        vm.prank(caller);
        (done,) = address(exchange).call(abi.encodeCall(IPartnerExchange.exchange, (second, signature)));
        assert(!done);
        vm.prank(caller);
        (done,) = address(exchange).call(abi.encodeCall(IPartnerExchange.payAtPartner, (second, "cup", signature)));
        assert(!done);
    }

    /// @dev An agreement of 1 to 1 from brand 1 to brand 2.
    function _agree() private {
        IPartnerExchange.Terms memory terms = IPartnerExchange.Terms(1, 1, 0, 1e12, 1e18, 1, 1, 1 days, 1, 1 days);
        exchange.propose(1, 1, 2, terms);
        exchange.accept(1, keccak256(abi.encode(terms)));
    }
}
