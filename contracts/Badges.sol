// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IBadges} from "./interfaces/IBadges.sol";
import {IERC5192} from "./interfaces/IERC5192.sol";
import {IPartnerRegistry} from "./interfaces/IPartnerRegistry.sol";
import {BrandAccess} from "./base/BrandAccess.sol";
import {Roles} from "./libraries/Roles.sol";

/// @title Badges
/// @dev A batch reads its definition once and a word of operation ids once for each run of 256, keeps both in memory
/// (`Run`) and writes them once. Which definitions a member has is one bit each: so a member's badges are told by four
/// words, however many the brand has defined.
contract Badges is IBadges, ERC721, BrandAccess {
    uint256 private constant BATCH_MAX = 500;
    uint256 private constant DEFINITIONS_MAX = 1_024;
    uint256 private constant WORDS = DEFINITIONS_MAX / 256;
    uint256 private constant BRAND_AT = 192;
    uint256 private constant DEFINITION_AT = 160;

    /// @dev Beside the metadata's hash, one word.
    struct Packed {
        bytes32 metadataHash;
        Kind kind;
        uint8 giver;
        uint8 level;
        bool withdrawable;
        uint40 limit;
        uint40 given;
        uint40 end;
        uint40 validSeconds;
    }

    /// @param validUntil 0: for ever.
    struct Term {
        uint40 givenAt;
        uint40 validUntil;
    }

    struct Run {
        uint256 brandId;
        uint256 definitionId;
        Packed definition;
        uint256 index;
        uint256 bits;
        bool bitsChanged;
    }

    IPartnerRegistry private immutable REGISTRY;

    /// @inheritdoc IBadges
    mapping(uint256 brandId => uint256 count) public definitionCount;
    mapping(uint256 brandId => mapping(uint256 definitionId => Packed definition)) private _definitions;
    mapping(uint256 brandId => mapping(uint256 index => uint256 bits)) private _operations;
    mapping(uint256 brandId => mapping(address member => uint256[WORDS] bits)) private _held;
    mapping(uint256 tokenId => Term term) private _terms;

    constructor(address manager, address registry) ERC721("Moa Badges", "MOABADGE") BrandAccess(manager) {
        REGISTRY = IPartnerRegistry(registry);
    }

    /* READING */

    /// @inheritdoc IBadges
    function definitionOf(uint256 brandId, uint256 definitionId)
        external
        view
        returns (Definition memory definition, uint256 given)
    {
        Packed memory packed = _known(brandId, definitionId);
        definition = Definition({
            kind: packed.kind,
            giver: packed.giver,
            level: packed.level,
            withdrawable: packed.withdrawable,
            limit: packed.limit,
            end: packed.end,
            validSeconds: packed.validSeconds,
            metadataHash: packed.metadataHash
        });
        given = packed.given;
    }

    /// @inheritdoc IBadges
    function liveBadgesOf(uint256 brandId, address member) external view returns (Badge[] memory badges) {
        uint256[WORDS] memory words = _held[brandId][member];
        badges = new Badge[](_ones(words));
        uint256 count = 0;
        for (uint256 place = 0; place < definitionCount[brandId]; ++place) {
            if (words[place >> 8] & (1 << (place & 0xff)) == 0) continue;
            uint256 definitionId = place + 1;
            uint256 tokenId = tokenIdOf(brandId, definitionId, member);
            Term memory term = _terms[tokenId];
            if (!_isLive(term)) continue;
            Packed memory packed = _definitions[brandId][definitionId];
            badges[count++] = Badge({
                tokenId: tokenId,
                definitionId: definitionId,
                kind: packed.kind,
                level: packed.level,
                givenAt: term.givenAt,
                validUntil: _shown(term.validUntil),
                metadataHash: packed.metadataHash
            });
        }
        // Only ever shorter than it was made.
        assembly ("memory-safe") {
            mstore(badges, count)
        }
    }

    /// @inheritdoc IBadges
    function tokenIdOf(uint256 brandId, uint256 definitionId, address member) public pure returns (uint256) {
        return (brandId << BRAND_AT) | (definitionId << DEFINITION_AT) | uint160(member);
    }

    /// @inheritdoc IBadges
    function isOperationUsed(uint256 brandId, uint256 operationId) external view returns (bool) {
        return _operations[brandId][operationId >> 8] & (1 << (operationId & 0xff)) != 0;
    }

    /// @inheritdoc IERC5192
    function locked(uint256 tokenId) external view returns (bool) {
        _requireOwned(tokenId);
        return true;
    }

    /// @inheritdoc IERC721Metadata
    function tokenURI(uint256 tokenId) public view override(ERC721, IERC721Metadata) returns (string memory) {
        _requireOwned(tokenId);
        // What a definition has 32 bits for.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint256 definitionId = uint32(tokenId >> DEFINITION_AT);
        bytes32 metadataHash = _definitions[tokenId >> BRAND_AT][definitionId].metadataHash;
        return string.concat("urn:keccak256:", Strings.toHexString(uint256(metadataHash), 32));
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) public view override(ERC721, IERC165) returns (bool) {
        return interfaceId == type(IERC5192).interfaceId || super.supportsInterface(interfaceId);
    }

    /* A BADGE STAYS WHERE IT IS */

    /// @inheritdoc IERC721
    function approve(address, uint256) public pure override(ERC721, IERC721) {
        revert BadgeLocked();
    }

    /// @inheritdoc IERC721
    function setApprovalForAll(address, bool) public pure override(ERC721, IERC721) {
        revert BadgeLocked();
    }

    /// @dev Every way from one account to another leads through here, whoever asks.
    function _update(address to, uint256 tokenId, address auth) internal override returns (address from) {
        if (to != address(0) && _ownerOf(tokenId) != address(0)) revert BadgeLocked();
        return super._update(to, tokenId, auth);
    }

    /* THE BRAND */

    /// @inheritdoc IBadges
    function publish(uint256 brandId, Definition calldata definition) external returns (uint256 definitionId) {
        REGISTRY.tokenOf(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));
        _checkDefinition(definition);
        if (definitionCount[brandId] == DEFINITIONS_MAX) revert DefinitionsExhausted(DEFINITIONS_MAX);

        definitionId = ++definitionCount[brandId];
        // Bounded by `_checkDefinition`.
        // forge-lint: disable-start(unsafe-typecast)
        _definitions[brandId][definitionId] = Packed({
            metadataHash: definition.metadataHash,
            kind: definition.kind,
            giver: uint8(definition.giver),
            level: uint8(definition.level),
            withdrawable: definition.withdrawable,
            limit: uint40(definition.limit),
            given: 0,
            end: uint40(definition.end),
            validSeconds: uint40(definition.validSeconds)
        });
        // forge-lint: disable-end(unsafe-typecast)

        emit DefinitionPublished(brandId, definitionId, definition);
    }

    /// @inheritdoc IBadges
    function give(uint256 brandId, uint256 definitionId, Gift calldata gift) external {
        Run memory run = _begin(brandId, definitionId);
        _checkGiving(run);
        bytes memory reason = _give(run, gift);
        if (reason.length > 0) _revertWith(reason);

        _end(run);
    }

    /// @inheritdoc IBadges
    function giveBatch(uint256 brandId, uint256 definitionId, Gift[] calldata gifts) external returns (uint256 given) {
        Run memory run = _begin(brandId, definitionId);
        _checkGiving(run);
        if (gifts.length == 0 || gifts.length > BATCH_MAX) revert BatchSizeWrong(gifts.length, BATCH_MAX);

        for (uint256 i = 0; i < gifts.length; ++i) {
            bytes memory reason = _give(run, gifts[i]);
            if (reason.length == 0) {
                ++given;
            } else {
                emit BadgeRefused(brandId, gifts[i].operationId, gifts[i].member, definitionId, reason);
            }
        }
        _end(run);
    }

    /// @inheritdoc IBadges
    function withdraw(uint256 brandId, uint256 definitionId, Gift calldata gift) external {
        Run memory run = _begin(brandId, definitionId);
        if (!run.definition.withdrawable) revert BadgeNotWithdrawable(brandId, definitionId);
        if (_isUsed(run, gift.operationId)) revert OperationUsed(brandId, gift.operationId);
        uint256 tokenId = tokenIdOf(brandId, definitionId, gift.member);
        if (_ownerOf(tokenId) == address(0)) revert BadgeUnknown(brandId, definitionId, gift.member);

        _use(run, gift.operationId);
        _end(run);
        delete _terms[tokenId];
        uint256 place = definitionId - 1;
        _held[brandId][gift.member][place >> 8] &= ~(1 << (place & 0xff));
        _burn(tokenId);

        emit BadgeWithdrawn(brandId, gift.operationId, gift.member, definitionId);
    }

    /* ONE BADGE */

    /// @dev Gives or renews, or tells the error that refuses it and changes nothing.
    function _give(Run memory run, Gift calldata gift) private returns (bytes memory reason) {
        (uint256 brandId, uint256 definitionId, address member) = (run.brandId, run.definitionId, gift.member);
        if (_isUsed(run, gift.operationId)) {
            return abi.encodeWithSelector(OperationUsed.selector, brandId, gift.operationId);
        }
        if (member == address(0) || member == address(this)) {
            return abi.encodeWithSelector(MemberInvalid.selector, member);
        }
        Packed memory definition = run.definition;
        uint256 tokenId = tokenIdOf(brandId, definitionId, member);
        bool renewed = _ownerOf(tokenId) != address(0);
        if (renewed && definition.validSeconds == 0) {
            return abi.encodeWithSelector(BadgeHeld.selector, brandId, definitionId, member);
        }
        if (!renewed && definition.given >= definition.limit) {
            return abi.encodeWithSelector(BadgesExhausted.selector, brandId, definitionId, definition.limit);
        }

        _use(run, gift.operationId);
        uint256 validUntil = definition.validSeconds == 0 ? 0 : block.timestamp + definition.validSeconds;
        // Times have 40 bits until the year 36812; a validity that reaches beyond was refused.
        // forge-lint: disable-next-line(unsafe-typecast)
        _terms[tokenId] = Term(uint40(block.timestamp), uint40(validUntil));
        if (!renewed) {
            ++definition.given;
            uint256 place = definitionId - 1;
            _held[brandId][member][place >> 8] |= 1 << (place & 0xff);
            // No callback: a member need not be able to receive a token that cannot be sent on.
            _mint(member, tokenId);

            emit Locked(tokenId);
        }

        emit BadgeGiven(brandId, gift.operationId, member, definitionId, _shown(validUntil), renewed);
    }

    /* A RUN */

    /// @dev Refuses a brand that may not issue, an unknown definition, and whoever the definition does not name.
    function _begin(uint256 brandId, uint256 definitionId) private returns (Run memory run) {
        REGISTRY.issuingToken(brandId);
        run.brandId = brandId;
        run.definitionId = definitionId;
        run.definition = _known(brandId, definitionId);
        _checkRole(Roles.id(brandId, run.definition.giver));
        // No word has this index: operation ids are below 2^256, their words below 2^248.
        run.index = type(uint256).max;
    }

    function _checkGiving(Run memory run) private view {
        if (block.timestamp >= run.definition.end) revert GivingOver(run.definition.end, block.timestamp);
    }

    function _end(Run memory run) private {
        _writeBits(run);
        Packed storage definition = _definitions[run.brandId][run.definitionId];
        if (definition.given != run.definition.given) definition.given = run.definition.given;
    }

    function _isUsed(Run memory run, uint256 operationId) private returns (bool) {
        uint256 index = operationId >> 8;
        if (index != run.index) {
            _writeBits(run);
            run.index = index;
            run.bits = _operations[run.brandId][index];
            run.bitsChanged = false;
        }
        return run.bits & (1 << (operationId & 0xff)) != 0;
    }

    /// @dev After `_isUsed` of the same id, which brought its word.
    function _use(Run memory run, uint256 operationId) private pure {
        run.bits |= 1 << (operationId & 0xff);
        run.bitsChanged = true;
    }

    function _writeBits(Run memory run) private {
        if (run.bitsChanged) _operations[run.brandId][run.index] = run.bits;
    }

    /* INSIDE */

    function _known(uint256 brandId, uint256 definitionId) private view returns (Packed memory packed) {
        packed = _definitions[brandId][definitionId];
        // A published limit is 1 at least.
        if (packed.limit == 0) revert DefinitionUnknown(brandId, definitionId);
    }

    function _checkDefinition(Definition calldata definition) private view {
        if (definition.giver < Roles.OWNER || definition.giver > Roles.TILL) revert DefinitionInvalid("giver");
        bool tier = definition.kind == Kind.Tier;
        if (definition.level > type(uint8).max || (definition.level != 0) != tier) revert DefinitionInvalid("level");
        if (definition.limit == 0 || definition.limit > type(uint40).max) revert DefinitionInvalid("limit");
        if (definition.end <= block.timestamp || definition.end > type(uint40).max) revert DefinitionInvalid("end");
        bool timeless = definition.validSeconds == 0;
        // A badge is given before `end`: its validity then fits 40 bits as well.
        if ((timeless && tier) || definition.validSeconds > type(uint40).max - definition.end) {
            revert DefinitionInvalid("validSeconds");
        }
        if (definition.metadataHash == 0) revert DefinitionInvalid("metadataHash");
    }

    function _isLive(Term memory term) private view returns (bool) {
        return term.validUntil == 0 || block.timestamp < term.validUntil;
    }

    function _shown(uint256 validUntil) private pure returns (uint256) {
        return validUntil == 0 ? type(uint256).max : validUntil;
    }

    function _ones(uint256[WORDS] memory words) private pure returns (uint256 count) {
        for (uint256 i = 0; i < WORDS; ++i) {
            // Each step clears the lowest bit that is set.
            for (uint256 word = words[i]; word != 0; word &= word - 1) {
                ++count;
            }
        }
    }

    function _revertWith(bytes memory reason) private pure {
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}
