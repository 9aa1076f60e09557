// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBrandAccess} from "./IBrandAccess.sol";

/// @title The published rules by which a brand awards points. Nobody mints outside one.
/// @notice Equal inputs give equal points: an award pays what the rule in force computes, or is refused whole.
/// Order of the checks of an item: operation id · member · rule · window · base amount · points computed,
/// rounded, cut to the cap per award · fits a lot · member's day · budget · room in the token.
interface IRewardRules is IBrandAccess {
    /// @notice Rate: points = base * numerator / denominator. Fixed: points = numerator, whatever the base.
    enum Kind {
        Rate,
        Fixed
    }
    /// @notice Down: to 0. Nearest: half goes up. Up: away from 0.
    enum Rounding {
        Down,
        Nearest,
        Up
    }

    /// @notice What a rule says.
    /// @param activity What is rewarded, short text in bytes32: "purchase", "review", "attendance"…
    /// @param numerator 1 .. 2^48-1. @param denominator 1 .. 2^48-1; exactly 1 for Fixed.
    /// @param capPerAward Most points of one award, the rest is cut off; 0: no cap.
    /// @param capPerMemberDay Most points of one member under this rule in one UTC day; an award beyond it is refused; 0: no cap.
    /// @param budget Most points over the rule's whole life, all versions together. At most 2^56-1.
    /// @param start First valid second. @param end First second that is no longer valid; greater than start.
    /// @param noticeSeconds How long a change of this rule waits: 3,600 .. 31,536,000.
    /// @param textHash keccak256 of the rule's public text.
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
    /// @notice An operation counted: `points` were minted to `member` (no Transfer when 0).
    event Awarded(
        uint256 indexed brandId,
        uint256 indexed operationId,
        address indexed member,
        uint256 ruleId,
        uint256 version,
        uint256 baseAmount,
        uint256 points
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
    /// @notice Points of `member` under this rule in the UTC day of this second (kept only under a cap).
    function spentToday(uint256 brandId, uint256 ruleId, address member) external view returns (uint256);
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
    /// @notice Awards 1 .. 500 items; a bad one is refused alone. Issuer role; the brand must be issuing.
    /// @return awarded Items that counted. @return points Points minted.
    function awardBatch(uint256 brandId, Item[] calldata items) external returns (uint256 awarded, uint256 points);
}
