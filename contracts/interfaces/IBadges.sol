// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";
import {IBrandAccess} from "./IBrandAccess.sol";
import {IERC5192} from "./IERC5192.sol";

/// @title What members have reached at a brand: tiers, missions, achievements. Soulbound (ERC-721 with ERC-5192).
/// @notice A brand publishes definitions; a badge is given under one, and a member has at most one of each. A badge's
/// token id is brandId * 2^192 + definitionId * 2^160 + member. It never moves to anybody else. With a validity a badge
/// ends by itself at `validUntil`, and giving it again renews it; its token stays the member's, but it is no longer live.
/// @dev Operation ids are as in IRewardRules, counted here by themselves: one counts once per brand.
interface IBadges is IERC721Metadata, IERC5192, IBrandAccess {
    /// @notice Tier: a level with a validity. Mission, Achievement: something done.
    enum Kind {
        Tier,
        Mission,
        Achievement
    }

    /// @notice What is published of a kind of badge; it never changes.
    /// @param giver Whose role of the brand gives it and takes it back: 1 owner, 2 issuer, 3 till.
    /// @param level 1 .. 255 for a tier, 0 for the others.
    /// @param withdrawable Whether it may be taken back.
    /// @param limit Most badges ever given: 1 .. 2^40-1. One that was withdrawn counts; a renewal does not count again.
    /// @param end First second in which it is no longer given. @param validSeconds How long one is valid; 0: for ever;
    /// never 0 for a tier.
    /// @param metadataHash keccak256 of the public text and picture of it.
    struct Definition {
        Kind kind;
        uint256 giver;
        uint256 level;
        bool withdrawable;
        uint256 limit;
        uint256 end;
        uint256 validSeconds;
        bytes32 metadataHash;
    }

    /// @notice One badge to give. @param operationId Counts once per brand; dense numbers are cheapest.
    struct Gift {
        uint256 operationId;
        address member;
    }

    /// @notice A live badge of a member. @param validUntil First second in which it is not; type(uint256).max: never.
    struct Badge {
        uint256 tokenId;
        uint256 definitionId;
        Kind kind;
        uint256 level;
        uint256 givenAt;
        uint256 validUntil;
        bytes32 metadataHash;
    }

    event DefinitionPublished(uint256 indexed brandId, uint256 indexed definitionId, Definition definition);
    /// @notice A badge was given, or renewed: then the token is the one that the member has.
    /// @dev Every `BadgeGiven` that is not a renewal follows its Transfer and Locked.
    event BadgeGiven(
        uint256 indexed brandId,
        uint256 indexed operationId,
        address indexed member,
        uint256 definitionId,
        uint256 validUntil,
        bool renewed
    );
    /// @notice A badge of a batch was refused alone; its operation id is still free.
    /// @param reason The error that `give` would have reverted with, ABI-encoded.
    event BadgeRefused(
        uint256 indexed brandId,
        uint256 indexed operationId,
        address indexed member,
        uint256 definitionId,
        bytes reason
    );
    /// @notice A badge was taken back.
    event BadgeWithdrawn(
        uint256 indexed brandId, uint256 indexed operationId, address indexed member, uint256 definitionId
    );

    error DefinitionUnknown(uint256 brandId, uint256 definitionId);
    /// @notice This definition is outside the published bounds; the name of the field.
    error DefinitionInvalid(string field);
    /// @notice A brand has at most `maximum` definitions.
    error DefinitionsExhausted(uint256 maximum);
    /// @notice This operation id has counted already for this brand.
    error OperationUsed(uint256 brandId, uint256 operationId);
    /// @notice Nobody, or the contract itself.
    error MemberInvalid(address member);
    /// @notice The definition's time for giving is over.
    error GivingOver(uint256 end, uint256 timestamp);
    /// @notice The member has it, for ever.
    error BadgeHeld(uint256 brandId, uint256 definitionId, address member);
    /// @notice All that may ever be given have been.
    error BadgesExhausted(uint256 brandId, uint256 definitionId, uint256 limit);
    /// @notice The member does not have it.
    error BadgeUnknown(uint256 brandId, uint256 definitionId, address member);
    /// @notice The definition says that it stays.
    error BadgeNotWithdrawable(uint256 brandId, uint256 definitionId);
    /// @notice A badge is the member's own: it is neither transferred nor lent.
    error BadgeLocked();
    /// @notice A batch has 1 .. `maximum` badges.
    error BatchSizeWrong(uint256 items, uint256 maximum);

    /* READING */

    /// @notice Number of definitions of a brand; ids run from 1 to this.
    function definitionCount(uint256 brandId) external view returns (uint256);
    /// @notice A definition and how many badges were given under it; reverts with DefinitionUnknown.
    function definitionOf(uint256 brandId, uint256 definitionId)
        external
        view
        returns (Definition memory definition, uint256 given);
    /// @notice All live badges that `member` has of a brand, by definition.
    function liveBadgesOf(uint256 brandId, address member) external view returns (Badge[] memory);
    function tokenIdOf(uint256 brandId, uint256 definitionId, address member) external pure returns (uint256);
    function isOperationUsed(uint256 brandId, uint256 operationId) external view returns (bool);

    /* THE BRAND */

    /// @notice Publishes a definition, in force at once. Owner role. Ids are dense from 1, at most 1,024.
    function publish(uint256 brandId, Definition calldata definition) external returns (uint256 definitionId);
    /// @notice Gives one badge or reverts with its error. The definition's giver; the brand must be issuing.
    function give(uint256 brandId, uint256 definitionId, Gift calldata gift) external;
    /// @notice Gives 1 .. 500 badges of a definition; a bad one is refused alone. As `give`.
    /// @return given Badges that counted, renewals among them.
    function giveBatch(uint256 brandId, uint256 definitionId, Gift[] calldata gifts) external returns (uint256 given);
    /// @notice Takes a badge back, where the definition allows it. The definition's giver; the brand must be issuing.
    function withdraw(uint256 brandId, uint256 definitionId, Gift calldata gift) external;
}
