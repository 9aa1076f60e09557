// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IBrandAccess} from "./IBrandAccess.sol";

/// @title The published rules by which a brand awards points. Nobody mints outside one.
/// @notice Equal inputs give equal points: an award pays what the rule in force computes, or is refused whole.
/// Order of the checks of an item: operation id · member · rule · window · base amount · points computed,
/// rounded, cut to the cap per award · fits a lot · member's day · budget · room in the token.
interface IRewardRules is IBrandAccess, IERC5267 {
    /// @notice Rate: points = base * numerator / denominator. Fixed: points = numerator, whatever the base.
    /// Correction: points = base, given by hand: bounded per award and per member and day, and above a published
    /// limit by two.
    enum Kind {
        Rate,
        Fixed,
        Correction
    }
    /// @notice Down: to 0. Nearest: half goes up. Up: away from 0.
    enum Rounding {
        Down,
        Nearest,
        Up
    }

    /// @notice What becomes of points that a return finds spent. Forgive: they stay the member's. Debt: the member owes
    /// them to this brand, and later awards pay first.
    enum Shortfall {
        Forgive,
        Debt
    }

    /// @notice What a rule says.
    /// @param activity What is rewarded, short text in bytes32: "purchase", "review", "attendance"…
    /// @param numerator 1 .. 2^48-1. @param denominator 1 .. 2^48-1; exactly 1 for Fixed; both 1 for Correction.
    /// @param capPerAward Most points of one award, the rest is cut off; 0: no cap.
    /// @param capPerMemberDay Most points of one member under this rule in one day; an award beyond it is refused; 0: no
    /// cap. A Correction has both caps.
    /// @param budget Most points over the rule's whole life, all versions together. At most 2^56-1.
    /// @param start First valid second. @param end First second that is no longer valid; greater than start.
    /// @param noticeSeconds How long a change of this rule waits: 3,600 .. 31,536,000.
    /// @param textHash keccak256 of the rule's public text.
    /// @param returnWindow Seconds after the award within which goods may come back, at most as long as points surely
    /// live (and 31,536,000); 0: never.
    /// @param shortfall What becomes of points that a return finds spent.
    /// @param lockSeconds How long after the fact the brand's gateway asks for the award; at most 31,536,000. Published
    /// here, kept by the gateway: points that are not there cannot be spent.
    /// @param dayStart Second of UTC at which a day of the cap begins, 0 .. 86,399 (Seoul's midnight: 54,000).
    /// @param secondAbove Of a Correction: above so many points a holder of the owner's role signs too, at most
    /// capPerAward; else 0.
    struct Terms {
        bytes32 activity;
        Kind kind;
        Rounding rounding;
        uint256 numerator;
        uint256 denominator;
        uint256 capPerAward;
        uint256 capPerMemberDay;
        uint256 budget;
        uint256 start;
        uint256 end;
        uint256 noticeSeconds;
        bytes32 textHash;
        uint256 returnWindow;
        Shortfall shortfall;
        uint256 lockSeconds;
        uint256 dayStart;
        uint256 secondAbove;
    }

    /// @notice One line of a batch.
    /// @param operationId Counts once per brand, over single and batch; dense numbers are cheapest.
    /// @param baseAmount What the rate applies to, in the brand's unit (cents, won); at most 2^96-1; 0 is allowed.
    struct Item {
        uint256 operationId;
        uint256 ruleId;
        address member;
        uint256 baseAmount;
    }

    /// @notice A rule came to be, at once (version 1).
    event RulePublished(uint256 indexed brandId, uint256 indexed ruleId, uint256 version, Terms terms);
    /// @notice A change was announced and will be in force from `inForceAt` on, without another event.
    event RuleChangeAnnounced(
        uint256 indexed brandId, uint256 indexed ruleId, uint256 version, uint256 inForceAt, Terms terms
    );
    /// @notice An announced change was taken back before it was in force. Its version number is not used again.
    event RuleChangeWithdrawn(uint256 indexed brandId, uint256 indexed ruleId, uint256 version);
    /// @notice An operation counted: points were minted to `member` (no Transfer when 0).
    /// @param award From bit 0 up: base amount 96, points 48, rule id 32, version 24.
    event Awarded(
        uint256 indexed brandId, uint256 indexed operationId, address indexed member, uint256 award
    );
    /// @notice The awards of this call that may come back are the leaves of this tree.
    /// @dev Leaves are the four words of `takeReturn` hashed, in the order of the awards with points under a rule with a
    /// return window; neighbours are hashed in their order, and a level's last without one with 0.
    event AwardsCommitted(uint256 indexed brandId, bytes32 indexed root, uint256 leaves);
    /// @notice Goods of the award `operationId` came back.
    /// @param returnId The operation of the return, spent like an award's.
    /// @param amounts From bit 0 up: base amount that came back 96, points that the award stands at from now on 48, points
    /// burnt 48, points missing 48, and 1 if these are owed, 0 if they are forgiven (or none are missing).
    event Returned(
        uint256 indexed brandId, uint256 indexed operationId, address indexed member, uint256 returnId, uint256 amounts
    );
    /// @notice An item of a batch was refused alone; its operation id is still free.
    /// @param reason The error that `award` would have reverted with, ABI-encoded (selector and values).
    event AwardRefused(
        uint256 indexed brandId, uint256 indexed operationId, address indexed member, uint256 ruleId, bytes reason
    );

    /// @notice This operation id has counted already for this brand.
    error OperationUsed(uint256 brandId, uint256 operationId);
    /// @notice Points cannot go there: nobody, or one of Moa's own contracts.
    error MemberInvalid(address member);
    error RuleUnknown(uint256 brandId, uint256 ruleId);
    /// @notice The rule counts from `start` until before `end`.
    error RuleNotInForce(uint256 start, uint256 end, uint256 timestamp);
    error BaseAmountTooLarge(uint256 baseAmount, uint256 maximum);
    /// @notice The rule computed more than a lot can hold.
    error AwardTooLarge(uint256 points, uint256 maximum);
    error MemberCapExceeded(uint256 points, uint256 remaining);
    error BudgetExceeded(uint256 points, uint256 remaining);
    /// @notice The brand's lot of this epoch is full.
    error SupplyExceeded(uint256 points, uint256 remaining);
    /// @notice A Correction of more than `limit` points needs the second signature of `correct`.
    error SecondSignatureMissing(uint256 points, uint256 limit);
    /// @notice No award of this brand is committed with these words and this proof.
    error AwardUnknown(uint256 brandId, uint256 operationId);
    /// @notice A return of this award could come until `until`, this second included.
    error ReturnTooLate(uint256 until, uint256 timestamp);
    /// @notice Of the award's base amount `left` can still come back.
    error ReturnExceedsAward(uint256 baseAmount, uint256 left);
    /// @notice A return of nothing, of an award for something.
    error BaseAmountMissing();
    /// @notice A batch has 1 .. `maximum` items.
    error BatchSizeWrong(uint256 items, uint256 maximum);
    /// @notice These terms are outside the published bounds; the name of the field.
    error RuleTermsInvalid(string field);
    /// @notice A change waits already; withdraw it first.
    error ChangePending(uint256 version, uint256 inForceAt);
    error NoChangePending(uint256 brandId, uint256 ruleId);

    /* READING */

    /// @notice Number of rules of a brand; ids run from 1 to this.
    function ruleCount(uint256 brandId) external view returns (uint256);
    /// @notice The terms in force at this second, their version, and what is spent of the budget.
    function ruleOf(uint256 brandId, uint256 ruleId)
        external
        view
        returns (Terms memory terms, uint256 version, uint256 spent);
    /// @notice The announced change, or version 0 when none waits.
    function pendingOf(uint256 brandId, uint256 ruleId)
        external
        view
        returns (Terms memory terms, uint256 version, uint256 inForceAt);
    function isOperationUsed(uint256 brandId, uint256 operationId) external view returns (bool);
    /// @notice Points of `member` under this rule in the rule's day of this second (kept only under a cap).
    function spentToday(uint256 brandId, uint256 ruleId, address member) external view returns (uint256);
    /// @notice Points that a return of this award took back in parts have this base amount; 0 when none did.
    /// @dev An award that is wholly back is a bit of its root (`rootOf`).
    function returnedOf(uint256 brandId, uint256 operationId) external view returns (uint256 baseAmount);
    /// @notice 0: the brand has committed no such root. Else bit 255 is set, and bit k when nothing of the award of its
    /// k-th leaf can come back any more.
    function rootOf(uint256 brandId, bytes32 root) external view returns (uint256 word);
    /// @notice What `award` would do with this item now: the same code.
    /// @return points What would be minted. @return version The version in force. @return reason Empty, or the encoded error.
    function quote(uint256 brandId, Item calldata item)
        external
        view
        returns (uint256 points, uint256 version, bytes memory reason);

    /* THE BRAND'S OWNER */

    /// @notice Publishes a rule, in force at once (within its window). Owner role. Ids are dense from 1.
    function publish(uint256 brandId, Terms calldata terms) external returns (uint256 ruleId);
    /// @notice Announces new terms; they wait the notice of the version in force. Owner role.
    function announceChange(uint256 brandId, uint256 ruleId, Terms calldata terms)
        external
        returns (uint256 version, uint256 inForceAt);
    /// @notice Takes an announced change back before it is in force. Owner role.
    function withdrawChange(uint256 brandId, uint256 ruleId) external;

    /* THE BRAND'S ISSUER */

    /// @notice Awards one item or reverts with its error. Issuer role; the brand must be issuing.
    function award(uint256 brandId, Item calldata item) external returns (uint256 points);
    /// @notice Awards 1 .. 250 items; a bad one is refused alone. Issuer role; the brand must be issuing.
    /// @return awarded Items that counted. @return points Points minted.
    function awardBatch(uint256 brandId, Item[] calldata items) external returns (uint256 awarded, uint256 points);

    /// @notice As `award`, with a second signature: a Correction may then pass its rule's `secondAbove`. The signer holds
    /// the brand's owner role without an execution delay and is not the caller.
    /// EIP-712: Correction(uint256 brandId,uint256 operationId,uint256 ruleId,address member,uint256 baseAmount,uint256 deadline)
    function correct(uint256 brandId, Item calldata item, address signer, uint256 deadline, bytes calldata signature)
        external
        returns (uint256 points);

    /* THE BRAND'S TILL */

    /// @notice Takes back what an award paid for goods that came back. Till role; the brand must be issuing. The award
    /// then stands at what its own terms pay for what the member kept; what it stood at above that comes from its own
    /// lot, then from the member's other lots, latest expiry first; what is missing is forgiven or owed, as the terms say.
    /// @param returnId Counts once per brand, among the awards' operations.
    /// @param baseAmount Of the goods that came back: 1 .. what is left of the award's (0 for an award of base 0).
    /// @param award The award as it was committed, each from bit 0 up: operation id 256 | second of the day's start 24,
    /// timestamp 40, expiry epoch 32, member 160 | base amount 96, points 48, rule id 32, version 24, return window 32,
    /// shortfall 8, place among the leaves of its call 8 | the first word of the terms (RuleCode.rate) 256.
    /// @param proof Neighbours from the leaf to the root; empty for an award alone.
    function takeReturn(
        uint256 brandId,
        uint256 returnId,
        uint256 baseAmount,
        uint256[4] calldata award,
        bytes32[] calldata proof
    ) external returns (uint256 taken, uint256 owed, uint256 forgiven);
}
