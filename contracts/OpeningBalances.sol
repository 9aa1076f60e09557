// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IOpeningBalances} from "./interfaces/IOpeningBalances.sol";
import {IPartnerRegistry} from "./interfaces/IPartnerRegistry.sol";
import {ILoyaltyToken} from "./interfaces/ILoyaltyToken.sol";
import {BrandAccess} from "./base/BrandAccess.sol";
import {Lots} from "./libraries/Lots.sol";
import {Roles} from "./libraries/Roles.sol";

/// @title OpeningBalances
/// @dev A batch reads the schedule once and a word of claimed lines once for each run of 256, keeps both in memory
/// (`Run`) and writes them once, before the token mints. The schedule was held against the token's clock when it was
/// committed, and every line is taken out of it lot by lot: so a line cannot name a lot that the token could not hold.
contract OpeningBalances is IOpeningBalances, BrandAccess {
    uint256 private constant BATCH_MAX = 200;
    /// @dev The highest bit of each of the five lots of a word.
    uint256 private constant HIGH_BITS = (1 << 47) | (1 << 95) | (1 << 143) | (1 << 191) | (1 << 239);

    /// @dev Beside root and hash of the file, one word.
    struct Book {
        bytes32 root;
        bytes32 fileHash;
        uint32 lines;
        uint32 claimed;
        uint40 start;
        uint40 end;
        uint24 version;
        bool comparing;
    }

    /// @dev What a call has read, and changed in memory.
    /// @param clock Of the token. @param mints What the token is to mint, `minted` of them.
    struct Run {
        uint256 brandId;
        uint256 openingId;
        address token;
        uint256 clock;
        uint256 lines;
        uint256[4] remaining;
        uint256 index;
        uint256 bits;
        bool bitsChanged;
        uint256 claimed;
        uint256 points;
        ILoyaltyToken.LotsLine[] mints;
        uint256 minted;
    }

    IPartnerRegistry private immutable REGISTRY;
    address private immutable DESK;

    /// @inheritdoc IOpeningBalances
    mapping(uint256 brandId => uint256 count) public openingCount;
    mapping(uint256 brandId => mapping(uint256 openingId => Book book)) private _books;
    mapping(uint256 brandId => mapping(uint256 openingId => uint256[4] words)) private _remaining;
    mapping(uint256 brandId => mapping(uint256 openingId => mapping(uint256 index => uint256 bits))) private _claimed;

    constructor(address manager, address registry, address desk) BrandAccess(manager) {
        REGISTRY = IPartnerRegistry(registry);
        DESK = desk;
    }

    /* READING */

    /// @inheritdoc IOpeningBalances
    function openingOf(uint256 brandId, uint256 openingId) external view returns (Opening memory) {
        Book memory book = _known(brandId, openingId);
        return Opening({
            root: book.root,
            remaining: _remaining[brandId][openingId],
            lines: book.lines,
            claimed: book.claimed,
            start: book.start,
            end: book.end,
            version: book.version,
            comparing: book.comparing,
            fileHash: book.fileHash
        });
    }

    /// @inheritdoc IOpeningBalances
    function isClaimed(uint256 brandId, uint256 openingId, uint256 index) external view returns (bool) {
        return _claimed[brandId][openingId][index >> 8] & (1 << (index & 0xff)) != 0;
    }

    /// @inheritdoc IOpeningBalances
    function leafOf(Line calldata line) external pure returns (bytes32) {
        return _leaf(line);
    }

    /* THE BRAND'S OWNER */

    /// @inheritdoc IOpeningBalances
    function commit(uint256 brandId, Terms calldata terms, bool comparing) external returns (uint256 openingId) {
        address token = REGISTRY.tokenOf(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));
        _checkTerms(terms, token);

        openingId = ++openingCount[brandId];
        _write(brandId, openingId, terms, 1, comparing);
    }

    /// @inheritdoc IOpeningBalances
    function replace(uint256 brandId, uint256 openingId, Terms calldata terms) external returns (uint256 version) {
        _checkRole(Roles.id(brandId, Roles.OWNER));
        Book memory book = _known(brandId, openingId);
        if (!book.comparing) revert OpeningSettled(brandId, openingId);
        if (book.claimed != 0) revert OpeningBegun(brandId, openingId, book.claimed);
        _checkTerms(terms, REGISTRY.tokenOf(brandId));

        version = book.version + 1;
        _write(brandId, openingId, terms, version, true);
    }

    /// @inheritdoc IOpeningBalances
    function endComparing(uint256 brandId, uint256 openingId) external {
        _checkRole(Roles.id(brandId, Roles.OWNER));
        if (!_known(brandId, openingId).comparing) revert OpeningSettled(brandId, openingId);

        _books[brandId][openingId].comparing = false;

        emit ComparingEnded(brandId, openingId);
    }

    /// @inheritdoc IOpeningBalances
    function prolong(uint256 brandId, uint256 openingId, uint256 end) external {
        _checkRole(Roles.id(brandId, Roles.OWNER));
        Book memory book = _known(brandId, openingId);
        if (block.timestamp >= book.end) revert OpeningOver(book.end, block.timestamp);
        if (end <= book.end || end > type(uint40).max) revert OpeningTermsInvalid("end");

        // Just compared.
        // forge-lint: disable-next-line(unsafe-typecast)
        _books[brandId][openingId].end = uint40(end);

        emit OpeningProlonged(brandId, openingId, end);
    }

    /* ANYONE */

    /// @inheritdoc IOpeningBalances
    function claim(uint256 brandId, uint256 openingId, Line calldata line, bytes32[] calldata proof)
        external
        returns (uint256 points)
    {
        (Run memory run, bytes32 root) = _begin(brandId, openingId, 1);
        if (!MerkleProof.verifyCalldata(proof, root, _leaf(line))) revert OpeningProofInvalid(root);
        if (!_count(run, line)) revert LineClaimed(brandId, openingId, line.index);

        _end(run);
        points = run.points;
    }

    /// @inheritdoc IOpeningBalances
    function claimBatch(
        uint256 brandId,
        uint256 openingId,
        Line[] calldata lines,
        bytes32[] calldata proof,
        bool[] calldata flags
    ) external returns (uint256 claimed, uint256 points) {
        (Run memory run, bytes32 root) = _begin(brandId, openingId, lines.length);
        if (lines.length == 0 || lines.length > BATCH_MAX) revert BatchSizeWrong(lines.length, BATCH_MAX);
        bytes32[] memory leaves = new bytes32[](lines.length);
        for (uint256 i = 0; i < lines.length; ++i) {
            leaves[i] = _leaf(lines[i]);
        }
        if (!_isProven(proof, flags, root, leaves)) revert OpeningProofInvalid(root);

        for (uint256 i = 0; i < lines.length; ++i) {
            _count(run, lines[i]);
        }
        if (run.claimed == 0) revert LineClaimed(brandId, openingId, lines[0].index);
        _end(run);
        (claimed, points) = (run.claimed, run.points);
    }

    /* ONE LINE */

    /// @dev Counts a proven line; false, and nothing changed, when it was claimed before.
    function _count(Run memory run, Line calldata line) private returns (bool) {
        uint256 index = line.index;
        if (index >= run.lines) revert LineUnknown(index, run.lines);
        if (index >> 8 != run.index) {
            _writeBits(run);
            run.index = index >> 8;
            run.bits = _claimed[run.brandId][run.openingId][run.index];
            run.bitsChanged = false;
        }
        uint256 bit = 1 << (index & 0xff);
        if (run.bits & bit != 0) return false;
        address member = line.member;
        if (member == address(0) || member == DESK || member == run.token) revert MemberInvalid(member);

        run.bits |= bit;
        run.bitsChanged = true;
        ++run.claimed;
        ILoyaltyToken.LotsLine memory mint;
        for (uint256 i = 0; i < Lots.WORDS; ++i) {
            uint256 word = line.lots[i];
            if (word == 0) continue;
            run.remaining[i] = _taken(run.remaining[i], word, index, i);
            uint256 group = word >> Lots.TAG_SHIFT;
            uint256 alive = Lots.live(word, group, run.clock);
            mint.points += Lots.sum(alive);
            mint.lots[i] = Lots.stored(group, alive);
        }
        if (mint.points > 0) {
            mint.member = member;
            run.mints[run.minted++] = mint;
            run.points += mint.points;
        }

        emit OpeningClaimed(run.brandId, run.openingId, member, index, mint.points, line.lots);
        return true;
    }

    /// @dev What is left of a word of the schedule without the line's word, lot by lot.
    function _taken(uint256 have, uint256 word, uint256 index, uint256 place) private pure returns (uint256) {
        uint256 group = have >> Lots.TAG_SHIFT;
        if (word >> Lots.TAG_SHIFT != group || word & Lots.POINTS_MASK == 0) revert LineLotsInvalid(index, place);
        // Both have the same tag, and a borrow out of any lot's highest bit is found below.
        unchecked {
            uint256 left = (have & Lots.POINTS_MASK) - (word & Lots.POINTS_MASK);
            // The borrow out of each bit of a subtractor is (~a & b) | ((~a | b) & c).
            if (((~have & word) | ((~have | word) & left)) & HIGH_BITS != 0) _exceeded(group, have, word);
            // The tag stays when all is claimed: the next line of this word is refused by its points, not by its tag.
            return Lots.word(group, left);
        }
    }

    /// @dev Names the lot of which too little is left; apart, because it is never reached in good order.
    function _exceeded(uint256 group, uint256 have, uint256 word) private pure {
        for (uint256 lot = 0; lot < Lots.LOTS; ++lot) {
            uint256 left = (have >> (Lots.BITS * lot)) & Lots.LOT_MAX;
            uint256 points = (word >> (Lots.BITS * lot)) & Lots.LOT_MAX;
            if (points > left) revert OpeningExceeded(group * Lots.LOTS + lot, points, left);
        }
    }

    function _leaf(Line calldata line) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(line.index, line.member, line.lots))));
    }

    /// @dev As MerkleProof says, but a proof of a wrong shape is not one, instead of a revert without a name.
    function _isProven(bytes32[] calldata proof, bool[] calldata flags, bytes32 root, bytes32[] memory leaves)
        private
        pure
        returns (bool)
    {
        if (leaves.length + proof.length != flags.length + 1) return false;
        uint256 free = 0;
        for (uint256 i = 0; i < flags.length; ++i) {
            if (!flags[i]) ++free;
        }
        // Each step takes two nodes, one of them of the proof where the flag is false: all of the proof must be used.
        if (free != proof.length) return false;
        return MerkleProof.multiProofVerifyCalldata(proof, flags, root, leaves);
    }

    /* A RUN */

    function _begin(uint256 brandId, uint256 openingId, uint256 lines)
        private
        view
        returns (Run memory run, bytes32 root)
    {
        run.brandId = brandId;
        run.openingId = openingId;
        run.token = REGISTRY.issuingToken(brandId);
        Book memory book = _known(brandId, openingId);
        if (block.timestamp < book.start || block.timestamp >= book.end) {
            revert OpeningNotOpen(book.start, book.end, block.timestamp);
        }
        root = book.root;
        run.lines = book.lines;
        run.clock = ILoyaltyToken(run.token).currentEpoch();
        run.remaining = _remaining[brandId][openingId];
        run.mints = new ILoyaltyToken.LotsLine[](lines > BATCH_MAX ? 0 : lines);
        // No word has this index: those of lines are below 2^24.
        run.index = type(uint256).max;
    }

    function _end(Run memory run) private {
        _writeBits(run);
        uint256[4] storage words = _remaining[run.brandId][run.openingId];
        for (uint256 i = 0; i < Lots.WORDS; ++i) {
            if (words[i] != run.remaining[i]) words[i] = run.remaining[i];
        }
        // At most `lines`, which has 32 bits: each line counts once.
        // forge-lint: disable-next-line(unsafe-typecast)
        _books[run.brandId][run.openingId].claimed += uint32(run.claimed);

        if (run.minted == 0) return;
        ILoyaltyToken.LotsLine[] memory mints = run.mints;
        uint256 minted = run.minted;
        // Only ever shorter than it was made.
        assembly ("memory-safe") {
            mstore(mints, minted)
        }
        ILoyaltyToken(run.token).mintLots(mints);
    }

    function _writeBits(Run memory run) private {
        if (run.bitsChanged) _claimed[run.brandId][run.openingId][run.index] = run.bits;
    }

    /* OPENINGS */

    function _known(uint256 brandId, uint256 openingId) private view returns (Book memory book) {
        book = _books[brandId][openingId];
        if (book.version == 0) revert OpeningUnknown(brandId, openingId);
    }

    function _write(uint256 brandId, uint256 openingId, Terms calldata terms, uint256 version, bool comparing)
        private
    {
        // Bounded by `_checkTerms`; and 2^24 replacements are more than anyone pays for.
        // forge-lint: disable-start(unsafe-typecast)
        _books[brandId][openingId] = Book({
            root: terms.root,
            fileHash: terms.fileHash,
            lines: uint32(terms.lines),
            claimed: 0,
            start: uint40(terms.start),
            end: uint40(terms.end),
            version: uint24(version),
            comparing: comparing
        });
        // forge-lint: disable-end(unsafe-typecast)
        _remaining[brandId][openingId] = terms.lots;

        emit OpeningCommitted(brandId, openingId, version, comparing, terms);
    }

    function _checkTerms(Terms calldata terms, address token) private view {
        if (terms.root == 0) revert OpeningTermsInvalid("root");
        uint256 first = ILoyaltyToken(token).currentEpoch() + 1;
        uint256 last = ILoyaltyToken(token).expiryEpochOfMint();
        uint256 total = 0;
        for (uint256 i = 0; i < Lots.WORDS; ++i) {
            uint256 word = terms.lots[i];
            if (word == 0) continue;
            total += _sumWithin(word, i, first, last);
        }
        if (total == 0) revert OpeningTermsInvalid("lots");
        if (terms.lines == 0 || terms.lines > type(uint32).max) revert OpeningTermsInvalid("lines");
        bool ordered = terms.start < terms.end && block.timestamp < terms.end;
        if (!ordered || terms.end > type(uint40).max) revert OpeningTermsInvalid("end");
    }

    /// @dev The points of a word of the schedule; reverts unless it lies in its place and all its lots within the
    /// epochs given: no old point lives longer than one that is minted now.
    function _sumWithin(uint256 word, uint256 place, uint256 first, uint256 last) private pure returns (uint256 sum) {
        uint256 group = word >> Lots.TAG_SHIFT;
        if (group % Lots.WORDS != place) revert OpeningTermsInvalid("lots");
        for (uint256 lot = 0; lot < Lots.LOTS; ++lot) {
            uint256 points = (word >> (Lots.BITS * lot)) & Lots.LOT_MAX;
            uint256 epoch = group * Lots.LOTS + lot;
            if (points != 0 && (epoch < first || epoch > last)) revert OpeningTermsInvalid("lots");
            sum += points;
        }
    }
}
