// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {IProgrammeGovernor} from "./interfaces/IProgrammeGovernor.sol";
import {IAuthorised} from "./interfaces/IAuthorised.sol";
import {ILoyaltyToken} from "./interfaces/ILoyaltyToken.sol";
import {IPartnerExchange} from "./interfaces/IPartnerExchange.sol";
import {IPartnerRegistry} from "./interfaces/IPartnerRegistry.sol";
import {IRewardRules} from "./interfaces/IRewardRules.sol";
import {Authorised} from "./base/Authorised.sol";
import {BrandAccess} from "./base/BrandAccess.sol";
import {Snapshots} from "./Snapshots.sol";
import {ISnapshots} from "./interfaces/ISnapshots.sol";
import {Chunk} from "./libraries/Chunk.sol";
import {Roles} from "./libraries/Roles.sol";

/// @title ProgrammeGovernor
/// @dev Lists of balances are kept by `Snapshots`, which is made here. The timelock is made here, with this contract as its only proposer, canceller and executor and without an admin:
/// so nothing reaches it but an agreed proposal. Which calls a proposal may hold is fixed by selector (`_electorateOf`).
contract ProgrammeGovernor is IProgrammeGovernor, EIP712, Authorised, BrandAccess {
    bytes32 private constant VOTE_TYPEHASH = keccak256("Vote(uint256 proposalId,address member,uint256 choice)");
    bytes32 private constant PROPOSE_TYPEHASH = keccak256(
        "ProposeAsMember(address member,uint256 brandId,bytes32 actionsHash,bytes32 textHash,uint256 nonce,uint256 deadline)"
    );
    uint256 private constant ACTIONS_MAX = 8;
    uint256 private constant BATCH_MAX = 200;
    uint256 private constant BRANDS_MAX = 256;
    uint256 private constant LIFE = 30 days;
    uint256 private constant BPS = 10_000;
    uint256 private constant SECONDS_MIN = 1 hours;
    uint256 private constant SECONDS_MAX = 365 days;
    uint256 private constant AGAINST = 0;
    uint256 private constant FOR = 1;
    uint256 private constant ABSTAIN = 2;
    uint256 private constant POINTS_AT = 96;

    /// @dev Beside its three hashes, two words. @param readyAt Of the timelock; 0: not queued.
    struct Course {
        bytes32 actionsHash;
        bytes32 textHash;
        bytes32 blockHash;
        uint64 blockNumber;
        uint40 preparedUntil;
        uint40 votedUntil;
        uint40 readyAt;
        uint32 firstBrandId;
        uint32 secondBrandId;
        uint32 brandCount;
        uint32 voicesFor;
        uint32 voicesAgainst;
        bool vetoed;
        bool executed;
    }

    /// @dev One word; a supply has 52 bits at most.
    struct House {
        uint64 pointsFor;
        uint64 pointsAgainst;
        uint64 pointsAbstaining;
    }

    IPartnerRegistry private immutable REGISTRY;
    IRewardRules private immutable RULES;
    IPartnerExchange private immutable EXCHANGE;
    TimelockController private immutable TIMELOCK;
    ISnapshots private immutable SNAPSHOTS;
    uint256 private immutable CHALLENGE_SECONDS;
    uint256 private immutable PREPARATION_SECONDS;
    uint256 private immutable VOTING_SECONDS;
    uint256 private immutable DELAY_SECONDS;
    uint256 private immutable THRESHOLD_BPS;
    uint256 private immutable QUORUM_BPS;

    /// @inheritdoc IProgrammeGovernor
    uint256 public proposalCount;
    bytes32 private _textHash;
    uint256 private _textVersion;
    mapping(uint256 proposalId => Course course) private _courses;
    mapping(uint256 proposalId => mapping(uint256 brandId => House house)) private _houses;
    /// @dev One bit a leaf: a chunk has as many leaves as a word has bits.
    mapping(uint256 proposalId => mapping(uint256 brandId => mapping(uint256 chunk => uint256 bits))) private _voted;
    mapping(uint256 proposalId => mapping(uint256 brandId => bool used)) private _voices;
    mapping(address member => mapping(uint256 index => uint256 bits)) private _usedNonces;

    constructor(address manager, address registry, address rules, address exchange, Terms memory terms_)
        EIP712("Moa ProgrammeGovernor", "1")
        BrandAccess(manager)
    {
        _checkTerms(terms_);
        REGISTRY = IPartnerRegistry(registry);
        RULES = IRewardRules(rules);
        EXCHANGE = IPartnerExchange(exchange);
        CHALLENGE_SECONDS = terms_.challengeSeconds;
        PREPARATION_SECONDS = terms_.preparationSeconds;
        VOTING_SECONDS = terms_.votingSeconds;
        DELAY_SECONDS = terms_.delaySeconds;
        THRESHOLD_BPS = terms_.thresholdBps;
        QUORUM_BPS = terms_.quorumBps;
        SNAPSHOTS = new Snapshots(address(this), registry, terms_.challengeSeconds);
        address[] memory self = new address[](1);
        self[0] = address(this);
        TIMELOCK = new TimelockController(terms_.delaySeconds, self, self, address(0));
    }

    /* READING */

    /// @inheritdoc IProgrammeGovernor
    function terms() external view returns (Terms memory) {
        return Terms({
            challengeSeconds: CHALLENGE_SECONDS,
            preparationSeconds: PREPARATION_SECONDS,
            votingSeconds: VOTING_SECONDS,
            delaySeconds: DELAY_SECONDS,
            thresholdBps: THRESHOLD_BPS,
            quorumBps: QUORUM_BPS
        });
    }

    /// @inheritdoc IProgrammeGovernor
    function timelock() external view returns (address) {
        return address(TIMELOCK);
    }

    /// @inheritdoc IProgrammeGovernor
    function snapshots() external view returns (address) {
        return address(SNAPSHOTS);
    }

    /// @inheritdoc IProgrammeGovernor
    function groundOf(uint256 proposalId, uint256 brandId) external view returns (bytes32, bool) {
        Course memory course = _known(proposalId);
        _checkAsked(proposalId, course, brandId);
        return (course.blockHash, !course.vetoed && block.timestamp < course.preparedUntil);
    }

    /// @inheritdoc IProgrammeGovernor
    function programmeText() external view returns (bytes32, uint256) {
        return (_textHash, _textVersion);
    }

    /// @inheritdoc IProgrammeGovernor
    function proposalOf(uint256 proposalId) external view returns (Proposal memory) {
        Course memory course = _known(proposalId);
        return _shown(course, _stateOf(proposalId, course));
    }

    /// @inheritdoc IProgrammeGovernor
    function tallyOf(uint256 proposalId, uint256 brandId) external view returns (Tally memory) {
        House memory house = _houses[proposalId][brandId];
        (address poster, uint256 total) = SNAPSHOTS.adoptedOf(proposalId, brandId);
        return Tally(poster, total, house.pointsFor, house.pointsAgainst, house.pointsAbstaining);
    }

    /// @inheritdoc IProgrammeGovernor
    function hasVoted(uint256 proposalId, uint256 brandId, uint256 chunk, uint256 position)
        external
        view
        returns (bool)
    {
        return position < 256 && _voted[proposalId][brandId][chunk] & (1 << position) != 0;
    }

    /// @inheritdoc IProgrammeGovernor
    function outcomeOf(uint256 proposalId) external view returns (bool membersAgree, bool brandsAgree) {
        return _outcome(proposalId, _known(proposalId));
    }

    /// @inheritdoc IAuthorised
    function isNonceUsed(address member, uint256 nonce) external view returns (bool) {
        return _usedNonces[member][nonce >> 8] & (1 << (nonce & 0xff)) != 0;
    }

    /// @inheritdoc IAuthorised
    function cancelAuthorisation(uint256 nonce) external {
        _useNonce(msg.sender, nonce);

        emit AuthorisationCancelled(msg.sender, nonce);
    }

    /* PROPOSALS */

    /// @inheritdoc IProgrammeGovernor
    function proposeAsBrand(uint256 brandId, Action[] calldata actions, bytes32 textHash)
        external
        returns (uint256 proposalId)
    {
        REGISTRY.tokenOf(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));

        proposalId = _propose(msg.sender, brandId, actions, textHash);
    }

    /// @inheritdoc IProgrammeGovernor
    function proposeAsMember(
        address member,
        uint256 brandId,
        Action[] calldata actions,
        bytes32 textHash,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external returns (uint256 proposalId) {
        _checkDeadline(deadline);
        _useNonce(member, nonce);
        bytes32 actionsHash = keccak256(abi.encode(actions));
        _checkSignature(
            member,
            keccak256(abi.encode(PROPOSE_TYPEHASH, member, brandId, actionsHash, textHash, nonce, deadline)),
            signature
        );
        ILoyaltyToken token = ILoyaltyToken(REGISTRY.tokenOf(brandId));
        uint256 threshold = (token.totalSupply() * THRESHOLD_BPS + BPS - 1) / BPS;
        uint256 points = token.balanceOf(member);
        if (points == 0 || points < threshold) revert BelowThreshold(points, threshold);

        proposalId = _propose(member, brandId, actions, textHash);
    }

    /// @inheritdoc IProgrammeGovernor
    function veto(uint256 proposalId, uint256 brandId) external {
        Course memory course = _known(proposalId);
        if (brandId == 0) {
            _checkRoleAtOnce(Roles.MOA_GUARDIAN);
        } else {
            _checkAsked(proposalId, course, brandId);
            _checkRoleAtOnce(Roles.id(brandId, Roles.GUARDIAN));
        }
        State state = _stateOf(proposalId, course);
        if (state == State.Executed || state == State.Vetoed) revert ProposalStateWrong(proposalId, state);

        _courses[proposalId].vetoed = true;

        emit ProposalVetoed(proposalId, brandId);
    }

    /* VOTES */

    /// @inheritdoc IProgrammeGovernor
    function castVoice(uint256 proposalId, uint256 brandId, uint256 choice) external {
        Course memory course = _known(proposalId);
        _checkAsked(proposalId, course, brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));
        if (course.vetoed || block.timestamp >= course.votedUntil) {
            revert VotingClosed(proposalId, brandId, course.votedUntil, block.timestamp);
        }
        if (choice > ABSTAIN) revert ChoiceInvalid(choice);
        if (_voices[proposalId][brandId]) revert VoiceUsed(proposalId, brandId);

        _voices[proposalId][brandId] = true;
        if (choice == FOR) ++_courses[proposalId].voicesFor;
        if (choice == AGAINST) ++_courses[proposalId].voicesAgainst;

        emit VoiceCast(proposalId, brandId, choice);
    }

    /// @inheritdoc IProgrammeGovernor
    function castVote(uint256 proposalId, uint256 brandId, Ballot calldata ballot) external {
        (House memory house, address poster) = _openHouse(proposalId, brandId);
        uint256 bits = _voted[proposalId][brandId][ballot.chunk];
        if (ballot.position < 256 && bits & (1 << ballot.position) != 0) {
            revert VoteUsed(proposalId, brandId, address(uint160(ballot.leaf >> POINTS_AT)));
        }

        bytes32 root = SNAPSHOTS.chunkOf(proposalId, brandId, poster, ballot.chunk);
        _count(proposalId, brandId, house, root, ballot);
        _voted[proposalId][brandId][ballot.chunk] = bits | (1 << ballot.position);
        _houses[proposalId][brandId] = house;
    }

    /// @inheritdoc IProgrammeGovernor
    function castVotes(uint256 proposalId, uint256 brandId, Ballot[] calldata ballots) external returns (uint256 cast) {
        (House memory house, address poster) = _openHouse(proposalId, brandId);
        if (ballots.length == 0 || ballots.length > BATCH_MAX) revert BatchSizeWrong(ballots.length, BATCH_MAX);

        // A chunk's root and the word of its votes are read once for each run of votes of that chunk.
        uint256 chunk = ballots[0].chunk;
        uint256 bits = _voted[proposalId][brandId][chunk];
        bytes32 root = SNAPSHOTS.chunkOf(proposalId, brandId, poster, chunk);
        for (uint256 i = 0; i < ballots.length; ++i) {
            Ballot calldata ballot = ballots[i];
            if (ballot.chunk != chunk) {
                _voted[proposalId][brandId][chunk] = bits;
                chunk = ballot.chunk;
                bits = _voted[proposalId][brandId][chunk];
                root = SNAPSHOTS.chunkOf(proposalId, brandId, poster, chunk);
            }
            if (ballot.position < 256 && bits & (1 << ballot.position) != 0) continue;
            _count(proposalId, brandId, house, root, ballot);
            bits |= 1 << ballot.position;
            ++cast;
        }
        if (cast == 0) revert VoteUsed(proposalId, brandId, address(uint160(ballots[0].leaf >> POINTS_AT)));
        _voted[proposalId][brandId][chunk] = bits;
        _houses[proposalId][brandId] = house;
    }

    /* THE OUTCOME */

    /// @inheritdoc IProgrammeGovernor
    function queue(uint256 proposalId, Action[] calldata actions) external returns (uint256 readyAt) {
        Course memory course = _known(proposalId);
        _checkActions(course, actions);
        if (block.timestamp < course.votedUntil && !course.vetoed) {
            revert VotingRunning(course.votedUntil, block.timestamp);
        }
        State state = _stateOf(proposalId, course);
        if (state != State.Agreed) revert ProposalStateWrong(proposalId, state);
        readyAt = block.timestamp + DELAY_SECONDS;

        // 40 bits are enough until the year 36812.
        // forge-lint: disable-next-line(unsafe-typecast)
        _courses[proposalId].readyAt = uint40(readyAt);

        emit ProposalQueued(proposalId, readyAt);

        (address[] memory targets, uint256[] memory values, bytes[] memory payloads) = _calls(actions);
        TIMELOCK.scheduleBatch(targets, values, payloads, 0, bytes32(proposalId), DELAY_SECONDS);
    }

    /// @inheritdoc IProgrammeGovernor
    function execute(uint256 proposalId, Action[] calldata actions) external {
        Course memory course = _known(proposalId);
        _checkActions(course, actions);
        State state = _stateOf(proposalId, course);
        if (state != State.Queued) revert ProposalStateWrong(proposalId, state);

        _courses[proposalId].executed = true;

        emit ProposalExecuted(proposalId);

        // The timelock itself refuses what is not ready.
        (address[] memory targets, uint256[] memory values, bytes[] memory payloads) = _calls(actions);
        TIMELOCK.executeBatch(targets, values, payloads, 0, bytes32(proposalId));
    }

    /// @inheritdoc IProgrammeGovernor
    function setProgrammeText(bytes32 textHash) external {
        if (msg.sender != address(TIMELOCK)) revert TimelockOnly(msg.sender);

        _textHash = textHash;
        ++_textVersion;

        emit ProgrammeTextChanged(_textVersion, textHash);
    }

    /* INSIDE: PROPOSALS */

    function _propose(address proposer, uint256 brandId, Action[] calldata actions, bytes32 textHash)
        private
        returns (uint256 proposalId)
    {
        (uint256 first, uint256 second) = _electorateOf(actions);
        uint256 brands = REGISTRY.brandCount();
        if (first == 0 && brands > BRANDS_MAX) revert ElectorateTooLarge(brands, BRANDS_MAX);
        if (first != 0 && brandId != first && brandId != second) revert BrandNotAsked(0, brandId);

        proposalId = ++proposalCount;
        Course memory course;
        course.actionsHash = keccak256(abi.encode(actions));
        course.textHash = textHash;
        course.blockHash = blockhash(block.number - 1);
        // Block numbers, times and the registry's ids fit by far.
        // forge-lint: disable-start(unsafe-typecast)
        course.blockNumber = uint64(block.number - 1);
        course.preparedUntil = uint40(block.timestamp + PREPARATION_SECONDS);
        course.votedUntil = uint40(block.timestamp + PREPARATION_SECONDS + VOTING_SECONDS);
        course.firstBrandId = uint32(first);
        course.secondBrandId = uint32(second);
        course.brandCount = uint32(brands);
        // forge-lint: disable-end(unsafe-typecast)
        _courses[proposalId] = course;

        emit ProposalMade(proposalId, proposer, brandId, actions, _shown(course, State.Open));
    }

    /// @dev The brands that the actions name, at most two; 0 and 0: the programme's text alone. What a vote may change:
    /// a rule's announced change and awards out of a rule's budget (the brand is their first argument), an agreement's
    /// change (the agreement is), the programme's text.
    function _electorateOf(Action[] calldata actions) private view returns (uint256 first, uint256 second) {
        if (actions.length == 0 || actions.length > ACTIONS_MAX) revert ActionsWrong(actions.length, ACTIONS_MAX);
        bool text = false;
        for (uint256 i = 0; i < actions.length; ++i) {
            Action calldata action = actions[i];
            bytes4 selector = bytes4(action.data);
            if (action.data.length < 36) revert ActionNotAllowed(action.target, selector);
            uint256 named = uint256(bytes32(action.data[4:36]));
            if (action.target == address(RULES) && _isOfRules(selector)) {
                REGISTRY.tokenOf(named);
                (first, second) = _withBrand(first, second, named);
            } else if (action.target == address(EXCHANGE) && _isOfExchange(selector)) {
                IPartnerExchange.Agreement memory agreement = EXCHANGE.agreementOf(named);
                (first, second) = _withBrand(first, second, agreement.fromBrandId);
                (first, second) = _withBrand(first, second, agreement.toBrandId);
            } else if (action.target == address(this) && selector == this.setProgrammeText.selector) {
                text = true;
            } else {
                revert ActionNotAllowed(action.target, selector);
            }
        }
        if (text && first != 0) revert ElectorateMixed();
    }

    function _isOfRules(bytes4 selector) private pure returns (bool) {
        return selector == IRewardRules.announceChange.selector || selector == IRewardRules.award.selector
            || selector == IRewardRules.awardBatch.selector;
    }

    function _isOfExchange(bytes4 selector) private pure returns (bool) {
        return selector == IPartnerExchange.proposeChange.selector || selector == IPartnerExchange.acceptChange.selector;
    }

    function _withBrand(uint256 first, uint256 second, uint256 brandId) private pure returns (uint256, uint256) {
        if (first == 0 || first == brandId) return (brandId, second);
        if (second == 0 || second == brandId) return (first, brandId);
        revert ElectorateMixed();
    }

    function _known(uint256 proposalId) private view returns (Course memory course) {
        course = _courses[proposalId];
        if (course.actionsHash == 0) revert ProposalUnknown(proposalId);
    }

    function _checkAsked(uint256 proposalId, Course memory course, uint256 brandId) private pure {
        bool asked = course.firstBrandId == 0
            ? brandId != 0 && brandId <= course.brandCount
            : brandId != 0 && (brandId == course.firstBrandId || brandId == course.secondBrandId);
        if (!asked) revert BrandNotAsked(proposalId, brandId);
    }

    function _checkActions(Course memory course, Action[] calldata actions) private pure {
        bytes32 actionsHash = keccak256(abi.encode(actions));
        if (actionsHash != course.actionsHash) revert ActionsUnknown(actionsHash);
    }

    function _stateOf(uint256 proposalId, Course memory course) private view returns (State) {
        if (course.vetoed) return State.Vetoed;
        if (course.executed) return State.Executed;
        if (course.readyAt != 0) return block.timestamp < course.readyAt + LIFE ? State.Queued : State.Stale;
        if (block.timestamp < course.votedUntil) return State.Open;
        (bool membersAgree, bool brandsAgree) = _outcome(proposalId, course);
        if (!membersAgree || !brandsAgree) return State.Refused;
        return block.timestamp < course.votedUntil + LIFE ? State.Agreed : State.Stale;
    }

    function _outcome(uint256 proposalId, Course memory course) private view returns (bool members, bool brands) {
        uint256 agreed = 0;
        uint256 asked = 0;
        if (course.firstBrandId == 0) {
            asked = course.brandCount;
            for (uint256 brandId = 1; brandId <= asked; ++brandId) {
                if (_agrees(proposalId, brandId)) ++agreed;
            }
        } else {
            asked = course.secondBrandId == 0 ? 1 : 2;
            if (_agrees(proposalId, course.firstBrandId)) ++agreed;
            if (asked == 2 && _agrees(proposalId, course.secondBrandId)) ++agreed;
        }
        return (2 * agreed > asked, 2 * uint256(course.voicesFor) > asked);
    }

    /// @dev More for it than against it, and the quorum has voted. Without an adopted list nobody has.
    function _agrees(uint256 proposalId, uint256 brandId) private view returns (bool) {
        House memory house = _houses[proposalId][brandId];
        if (house.pointsFor <= house.pointsAgainst) return false;
        uint256 voted = uint256(house.pointsFor) + house.pointsAgainst + house.pointsAbstaining;
        (, uint256 total) = SNAPSHOTS.adoptedOf(proposalId, brandId);
        return voted * BPS >= total * QUORUM_BPS;
    }

    function _shown(Course memory course, State state) private pure returns (Proposal memory) {
        return Proposal({
            actionsHash: course.actionsHash,
            textHash: course.textHash,
            blockHash: course.blockHash,
            blockNumber: course.blockNumber,
            preparedUntil: course.preparedUntil,
            votedUntil: course.votedUntil,
            firstBrandId: course.firstBrandId,
            secondBrandId: course.secondBrandId,
            brandCount: course.brandCount,
            voicesFor: course.voicesFor,
            voicesAgainst: course.voicesAgainst,
            state: state
        });
    }

    /* INSIDE: VOTES */

    /// @dev The house of a brand whose list was adopted, while the voting lasts, and who posted the list.
    function _openHouse(uint256 proposalId, uint256 brandId)
        private
        view
        returns (House memory house, address poster)
    {
        Course memory course = _known(proposalId);
        _checkAsked(proposalId, course, brandId);
        house = _houses[proposalId][brandId];
        bool over = course.vetoed || block.timestamp >= course.votedUntil;
        (poster,) = SNAPSHOTS.adoptedOf(proposalId, brandId);
        if (over || poster == address(0)) {
            revert VotingClosed(proposalId, brandId, course.votedUntil, block.timestamp);
        }
    }

    /// @dev Adds a vote to the house in memory.
    function _count(uint256 proposalId, uint256 brandId, House memory house, bytes32 root, Ballot calldata ballot)
        private
    {
        if (!Chunk.holds(root, ballot.position, ballot.leaf, ballot.siblings)) {
            revert ISnapshots.LeafUnknown(ballot.chunk, ballot.position);
        }
        // The upper 160 bits are an account, the lower 96 its points, of which a list's total has 56.
        // forge-lint: disable-start(unsafe-typecast)
        address member = address(uint160(ballot.leaf >> POINTS_AT));
        uint64 points = uint64(uint96(ballot.leaf));
        // forge-lint: disable-end(unsafe-typecast)
        uint256 choice = ballot.choice;
        if (choice > ABSTAIN) revert ChoiceInvalid(choice);
        _checkSignature(member, keccak256(abi.encode(VOTE_TYPEHASH, proposalId, member, choice)), ballot.signature);

        if (choice == FOR) house.pointsFor += points;
        else if (choice == AGAINST) house.pointsAgainst += points;
        else house.pointsAbstaining += points;

        emit VoteCast(proposalId, brandId, member, ballot.chunk * 256 + ballot.position, choice, points);
    }

    /* INSIDE: THE REST */

    function _calls(Action[] calldata actions)
        private
        pure
        returns (address[] memory targets, uint256[] memory values, bytes[] memory payloads)
    {
        targets = new address[](actions.length);
        values = new uint256[](actions.length);
        payloads = new bytes[](actions.length);
        for (uint256 i = 0; i < actions.length; ++i) {
            targets[i] = actions[i].target;
            payloads[i] = actions[i].data;
        }
    }

    function _useNonce(address member, uint256 nonce) private {
        uint256 bit = 1 << (nonce & 0xff);
        uint256 bits = _usedNonces[member][nonce >> 8];
        if (bits & bit != 0) revert AuthorisationUsed(member, nonce);

        _usedNonces[member][nonce >> 8] = bits | bit;
    }

    function _checkTerms(Terms memory terms_) private pure {
        if (_isOutside(terms_.challengeSeconds)) revert GovernorTermsInvalid("challengeSeconds");
        bool roomy = terms_.preparationSeconds > terms_.challengeSeconds;
        if (!roomy || _isOutside(terms_.preparationSeconds)) revert GovernorTermsInvalid("preparationSeconds");
        if (_isOutside(terms_.votingSeconds)) revert GovernorTermsInvalid("votingSeconds");
        if (_isOutside(terms_.delaySeconds)) revert GovernorTermsInvalid("delaySeconds");
        if (terms_.thresholdBps > BPS) revert GovernorTermsInvalid("thresholdBps");
        if (terms_.quorumBps == 0 || terms_.quorumBps > BPS) revert GovernorTermsInvalid("quorumBps");
    }

    function _isOutside(uint256 duration) private pure returns (bool) {
        return duration < SECONDS_MIN || duration > SECONDS_MAX;
    }

    function _domainSeparator() internal view override returns (bytes32) {
        return _domainSeparatorV4();
    }
}
