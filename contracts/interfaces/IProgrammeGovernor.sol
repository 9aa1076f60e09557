// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAuthorised} from "./IAuthorised.sol";
import {IBrandAccess} from "./IBrandAccess.sol";

/// @title Members and brands decide together on the parameters of the programme.
/// @notice A proposal is a list of actions: a rule's announced change, awards out of a rule's budget, a change of an
/// agreement, or the hash of the programme's text. The brands that the actions name are its electorate; a text concerns
/// all brands. It has two houses. Members: a brand's members agree when, by points of that brand in the block before the
/// proposal, more are for it than against it and the quorum has voted; their house agrees when the members of more than
/// half of the electorate's brands do. Brands: one voice each; their house agrees when more than half of the electorate's
/// brands say yes. With one brand or two that is all of them. Where both houses agree, the actions wait in OpenZeppelin's
/// TimelockController, and then anyone executes them. They do what the timelock may: a brand puts itself under the
/// programme's votes by giving the timelock its owner's role (or its issuer's, for awards).
///
/// A vote is EIP-712 `Vote(uint256 proposalId,address member,uint256 choice)`; choices: 0 against, 1 for, 2 abstain. It
/// needs no nonce, counts once, and is void when the voting ends. Anyone submits votes, one by one or by the hundred.
/// @dev Nonces (IAuthorised) are those of members' proposals.
interface IProgrammeGovernor is IAuthorised, IBrandAccess {
    /// @notice Open: prepared or voted on. Refused: one of the houses did not agree. Stale: agreed, but not executed in time.
    enum State {
        None,
        Open,
        Agreed,
        Refused,
        Queued,
        Executed,
        Vetoed,
        Stale
    }

    /// @notice One call that the timelock is to make.
    struct Action {
        address target;
        bytes data;
    }

    /// @notice What is fixed when the governor is made.
    /// @param challengeSeconds How long a complete list may be contradicted. @param preparationSeconds Until when lists
    /// are posted and adopted, from the proposal on. @param votingSeconds How long is voted after that.
    /// @param delaySeconds The timelock's delay. @param thresholdBps Share of a brand's supply that a member needs to
    /// propose. @param quorumBps Share of a brand's points that must vote.
    struct Terms {
        uint256 challengeSeconds;
        uint256 preparationSeconds;
        uint256 votingSeconds;
        uint256 delaySeconds;
        uint256 thresholdBps;
        uint256 quorumBps;
    }

    /// @notice A proposal. @param firstBrandId, secondBrandId Its electorate; 0 and 0: all brands up to `brandCount`.
    struct Proposal {
        bytes32 actionsHash;
        bytes32 textHash;
        bytes32 blockHash;
        uint256 blockNumber;
        uint256 preparedUntil;
        uint256 votedUntil;
        uint256 firstBrandId;
        uint256 secondBrandId;
        uint256 brandCount;
        uint256 voicesFor;
        uint256 voicesAgainst;
        State state;
    }

    /// @notice The members of a brand in a proposal. @param poster Whose list was adopted; 0: none yet.
    struct Tally {
        address poster;
        uint256 total;
        uint256 pointsFor;
        uint256 pointsAgainst;
        uint256 pointsAbstaining;
    }

    /// @notice One member's vote with its place in the adopted list.
    struct Ballot {
        uint256 chunk;
        uint256 position;
        uint256 leaf;
        uint256 choice;
        bytes32[8] siblings;
        bytes signature;
    }

    /// @param proposer The member, or the brand's owner who proposed. @param brandId By whose points, or as which brand.
    event ProposalMade(
        uint256 indexed proposalId,
        address indexed proposer,
        uint256 indexed brandId,
        Action[] actions,
        Proposal proposal
    );
    /// @notice A member's vote counted. @param place chunk * 256 + position.
    event VoteCast(
        uint256 indexed proposalId,
        uint256 indexed brandId,
        address indexed member,
        uint256 place,
        uint256 choice,
        uint256 points
    );
    /// @notice A brand's voice counted.
    event VoiceCast(uint256 indexed proposalId, uint256 indexed brandId, uint256 choice);
    event ProposalQueued(uint256 indexed proposalId, uint256 readyAt);
    event ProposalExecuted(uint256 indexed proposalId);
    /// @notice A guardian of an electorate's brand (or Moa's: brand 0) stopped it for ever.
    event ProposalVetoed(uint256 indexed proposalId, uint256 brandId);
    event ProgrammeTextChanged(uint256 version, bytes32 textHash);

    error ProposalUnknown(uint256 proposalId);
    /// @notice The proposal is not in the state that this needs.
    error ProposalStateWrong(uint256 proposalId, State state);
    /// @notice A proposal has 1 .. `maximum` actions.
    error ActionsWrong(uint256 actions, uint256 maximum);
    /// @notice No vote decides on this: another contract, another function, or no arguments.
    error ActionNotAllowed(address target, bytes4 selector);
    /// @notice The actions name more than two brands, or brands and the programme's text.
    error ElectorateMixed();
    /// @notice There are more brands than one proposal can ask.
    error ElectorateTooLarge(uint256 brands, uint256 maximum);
    /// @notice These are not the proposal's actions.
    error ActionsUnknown(bytes32 actionsHash);
    /// @notice The brand is not asked in this proposal.
    error BrandNotAsked(uint256 proposalId, uint256 brandId);
    /// @notice To propose needs `threshold` points of the brand.
    error BelowThreshold(uint256 points, uint256 threshold);
    /// @notice The voting of the brand's members begins when a list is adopted, and ends at `until`.
    error VotingClosed(uint256 proposalId, uint256 brandId, uint256 until, uint256 timestamp);
    /// @notice The voting is not over.
    error VotingRunning(uint256 until, uint256 timestamp);
    error ChoiceInvalid(uint256 choice);
    /// @notice This brand has voted.
    error VoiceUsed(uint256 proposalId, uint256 brandId);
    /// @notice This member's vote has counted.
    error VoteUsed(uint256 proposalId, uint256 brandId, address member);
    /// @notice A batch has 1 .. `maximum` votes.
    error BatchSizeWrong(uint256 items, uint256 maximum);
    /// @notice Only the timelock may call this.
    error TimelockOnly(address caller);
    /// @notice These terms are outside the published bounds; the name of the field.
    error GovernorTermsInvalid(string field);

    /* READING */

    function terms() external view returns (Terms memory);
    /// @notice OpenZeppelin's TimelockController, whose only proposer, canceller and executor is this contract.
    function timelock() external view returns (address);
    /// @notice Where the lists of balances are posted (ISnapshots); made by this contract.
    function snapshots() external view returns (address);
    /// @notice What the lists of a brand stand on: the hash of the block before the proposal, and whether they may still
    /// be posted, contradicted and adopted. Reverts with ProposalUnknown and BrandNotAsked.
    function groundOf(uint256 proposalId, uint256 brandId) external view returns (bytes32 blockHash, bool preparing);
    /// @notice keccak256 of the programme's public text, and how often it has changed.
    function programmeText() external view returns (bytes32 textHash, uint256 version);
    function proposalCount() external view returns (uint256);
    /// @notice Reverts with ProposalUnknown.
    function proposalOf(uint256 proposalId) external view returns (Proposal memory);
    function tallyOf(uint256 proposalId, uint256 brandId) external view returns (Tally memory);
    /// @notice True when the vote at this place of the adopted list has counted.
    function hasVoted(uint256 proposalId, uint256 brandId, uint256 chunk, uint256 position) external view returns (bool);
    /// @notice What houses have said up to now.
    function outcomeOf(uint256 proposalId) external view returns (bool membersAgree, bool brandsAgree);

    /* PROPOSALS */

    /// @notice Proposes as a brand of the electorate. Owner role.
    function proposeAsBrand(uint256 brandId, Action[] calldata actions, bytes32 textHash)
        external
        returns (uint256 proposalId);
    /// @notice Proposes as a member who has the threshold of a brand of the electorate; by anyone with the signature of
    /// ProposeAsMember(address member,uint256 brandId,bytes32 actionsHash,bytes32 textHash,uint256 nonce,uint256 deadline),
    /// actionsHash being keccak256(abi.encode(actions)).
    function proposeAsMember(
        address member,
        uint256 brandId,
        Action[] calldata actions,
        bytes32 textHash,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external returns (uint256 proposalId);
    /// @notice Stops a proposal that is not executed, for ever: guardian of a brand of its electorate; brand 0: Moa's.
    function veto(uint256 proposalId, uint256 brandId) external;

    /* VOTES */

    /// @notice A brand's voice. Owner role.
    function castVoice(uint256 proposalId, uint256 brandId, uint256 choice) external;
    /// @notice One member's vote, or its error. Anyone with the signature, or the member.
    function castVote(uint256 proposalId, uint256 brandId, Ballot calldata ballot) external;
    /// @notice 1 .. 200 votes of a brand's members. Votes that counted before are passed over, unless none of
    /// them is new (VoteUsed of the first); anything else wrong refuses the batch and names the member.
    function castVotes(uint256 proposalId, uint256 brandId, Ballot[] calldata ballots) external returns (uint256 cast);

    /* THE OUTCOME */

    /// @notice Hands an agreed proposal's actions to the timelock. Anyone, within 30 days after the voting.
    function queue(uint256 proposalId, Action[] calldata actions) external returns (uint256 readyAt);
    /// @notice Makes the calls, all or none. Anyone, once the delay has passed, within 30 days.
    function execute(uint256 proposalId, Action[] calldata actions) external;
    /// @notice Sets the hash of the programme's text. Timelock only: that is, by a vote.
    function setProgrammeText(bytes32 textHash) external;
}
