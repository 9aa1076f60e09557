// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {IAuthorised} from "./IAuthorised.sol";
import {IBrandAccess} from "./IBrandAccess.sol";
import {IERC7818Views} from "./IERC7818Views.sol";

/// @title A brand's points: an ERC-20 whose points lie in lots that expire by themselves.
/// @notice Time is cut into epochs of `epochSeconds`, counted from the token's creation (`origin`).
/// Points minted in epoch e expire together at the start of epoch e + 1 + lifetimeEpochs, so that they
/// live at least the published lifetime and less than one epoch longer. They are gone at that second:
/// `balanceOf`, `totalSupply` and every movement count only lots with `block.timestamp < expiresAt`.
/// A brand with lifetime 0 has points that never expire: its clock stands at epoch 0 and every point
/// lies in expiry epoch 1.
///
/// Packed lots: an account has 4 words. A word holds 5 consecutive expiry epochs, 5g .. 5g+4, of group
/// g = expiryEpoch / 5: bits 48*(expiryEpoch % 5) upward hold 48 bits of points, bits 240..255 hold the
/// tag g. The word of group g is number g % 4. A word counts only if its tag is one of the four groups
/// of the live window (epoch+1 .. epoch+16); anything else is a stale word of an older turn of the ring.
/// A word without points is stored as 0.
/// @dev Points move oldest lot first, and each part keeps its own expiry at the receiver.
interface ILoyaltyToken is
    IERC20Metadata,
    IERC20Permit,
    IERC20Errors,
    IERC165,
    IERC7818Views,
    IAuthorised,
    IBrandAccess
{
    /// @notice Who may use transfer and transferFrom.
    /// Closed: nobody, only Moa's contracts move points. AllowList: anyone, to receivers on the brand's list. Open: anyone.
    enum Policy {
        Closed,
        AllowList,
        Open
    }

    /// @notice What a brand fixes for ever when its token is made (only the policy may change).
    /// @param epochSeconds Length of an epoch: 3,600 (an hour) at least, 31,622,400 (366 days) at most.
    /// @param lifetimeEpochs 1..15 whole epochs that points live at least; 0: they never expire.
    /// @param graceSeconds How long after a lot's end a till may still capture what was held of it, and a refund give
    /// it back; 0: not at all. Counted to the second, from the lot's own end, once per lot. At most 15 epochs.
    struct Terms {
        string name;
        string symbol;
        uint256 brandId;
        uint256 epochSeconds;
        uint256 lifetimeEpochs;
        uint256 graceSeconds;
        Policy policy;
    }

    /// @notice Points that expire together.
    /// @param expiresAt Second at which they are gone; type(uint256).max: never.
    struct Lot {
        uint256 expiryEpoch;
        uint256 expiresAt;
        uint256 points;
    }

    /// @notice What an opening balance mints for one member.
    /// @param lots Packed as above: live ones only. @param points Their sum.
    struct LotsLine {
        address member;
        uint256 points;
        uint256[4] lots;
    }

    /// @notice The lots of `account` after a change: exactly the words that changed.
    /// @dev A word names its own place, (word >> 240) % 4. A word without points arrives here as its bare
    /// tag and lies in storage as 0. Emitted once per touched account per movement, after its Transfer; not for
    /// what `mintBatch` adds, which `LotNamed` tells.
    event LotsChanged(address indexed account, uint256[] words);
    /// @notice Each of the next `transfers` Transfers from 0 of this transaction adds its points to the lot of `expiryEpoch`
    /// of its receiver (lots of the same word that have expired by then are gone).
    event LotNamed(uint256 indexed expiryEpoch, uint256 transfers);
    /// @notice What `member` owes this brand from now on, after a return or an award: later awards pay first.
    event DebtChanged(address indexed member, uint256 debt);
    /// @notice ERC-7572: the contract's own page changed.
    event ContractURIUpdated();
    /// @notice The brand changed who may transfer, at once: to the same or a looser policy.
    event PolicyChanged(Policy policy);
    /// @notice The brand announced a tighter policy: in force from `inForceAt` on, without another event.
    event PolicyAnnounced(Policy policy, uint256 inForceAt);
    /// @notice The brand put `account` on its list of receivers, or took it off.
    event AllowListChanged(address indexed account, bool allowed);
    /// @notice The brand takes `account` off its list of receivers: it is no longer on it from `until` on.
    event AllowListEnding(address indexed account, uint256 until);
    /// @notice A member moved everything to a wallet that agreed to it.
    event Left(address indexed member, address indexed wallet, uint256 points);

    /// @notice The policy in force does not let `from` send to `to`.
    error TransferNotAllowed(address from, address to, Policy policy);
    /// @notice A lot holds at most 2^48 - 1 points; `room` is what still fits.
    error LotOverflow(uint256 expiryEpoch, uint256 points, uint256 room);
    /// @notice The token's clock has run out: expiry epochs end at 327,679.
    error EpochOutOfRange(uint256 expiryEpoch);
    /// @notice Only Moa's own contracts may call this.
    error ModuleOnly(address caller);
    /// @notice The clone has its terms already.
    error AlreadyInitialised();
    /// @notice These terms are outside the published bounds; the name of the field.
    error TermsInvalid(string field);
    /// @notice ERC-2612: `block.timestamp` is past the permit's deadline.
    error ERC2612ExpiredSignature(uint256 deadline);

    /* READING */

    /// @notice The brand's terms, as fixed, with the policy in force.
    function terms() external view returns (Terms memory);
    /// @notice The second in which epoch 0 began: the token's creation.
    function origin() external view returns (uint256);
    /// @notice The expiry epoch that points minted now receive.
    function expiryEpochOfMint() external view returns (uint256);
    /// @notice The expiry epoch that points minted at second `mintedAt` (not before `origin`) received.
    function expiryEpochOf(uint256 mintedAt) external view returns (uint256);
    /// @notice The second at which lots of `expiryEpoch` are gone; type(uint256).max when they never expire.
    function expiresAt(uint256 expiryEpoch) external view returns (uint256);
    /// @notice The live lots of `account`, oldest first, without empty ones; at most 16.
    function lotsOf(address account) external view returns (Lot[] memory);
    /// @notice The four words of `account` as stored, stale ones included.
    function packedLotsOf(address account) external view returns (uint256[4] memory);
    /// @notice The live supply by expiry, oldest first, without empty lots; at most 16. Its sum is `totalSupply`.
    function supplyByExpiry() external view returns (Lot[] memory);
    /// @notice The four words of the supply as stored, stale ones included.
    function packedSupply() external view returns (uint256[4] memory);
    /// @notice How many points may still be minted in the present epoch: 2^48 - 1 less the supply of that lot.
    function mintable() external view returns (uint256);
    /// @notice The lot that points minted now go to, and how many still may: `expiryEpochOfMint` and `mintable` at once.
    function mintLot() external view returns (uint256 expiryEpoch, uint256 room);
    /// @notice The seconds that any point surely lives when it is minted; type(uint256).max when points never expire.
    function leastLife() external view returns (uint256);
    /// @notice Points that `member` owes this brand: returned goods' points that were spent. No other brand's.
    function debtOf(address member) external view returns (uint256);
    /// @notice ERC-7572: a URI of the contract's page (name, logo, link), as the brand's owner set it; may be a data: URI.
    // forge-lint: disable-next-line(mixed-case-function)
    function contractURI() external view returns (string memory);
    /// @notice True when the brand lets `account` receive under the AllowList policy.
    function isAllowed(address account) external view returns (bool);
    /// @notice First second at which `account` is no longer on the list; 2^256-1: none; 0: it is not on it.
    function allowedUntil(address account) external view returns (uint256);
    /// @notice The tighter policy that waits, and the second from which on it is in force; 0 when none waits.
    function pendingPolicy() external view returns (Policy policy, uint256 inForceAt);
    /// @notice The last expiry epoch whose end and grace have passed: held points of it can no longer be captured.
    function graceClock() external view returns (uint256);

    /* THE MEMBER'S OWN ACTS */

    /// @notice Transfers by the signature of `from`, where the policy allows the same transfer without it.
    /// EIP-712: TransferAuthorisation(address from,address to,uint256 points,uint256 nonce,uint256 deadline)
    function transferWithAuthorisation(
        address from,
        address to,
        uint256 points,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice Moves everything that `member` has to `wallet`, whatever the policy, the brand's status or a
    /// kill switch: a member may always leave with the points.
    /// EIP-712, the same message signed by both: Leave(address member,address wallet,uint256 nonce,uint256 deadline)
    /// @dev Both sign, so that points cannot be pushed on someone and a thief needs two keys. All lots move
    /// with their own expiry. Reverts when the member has nothing.
    function leave(
        address member,
        address wallet,
        uint256 nonce,
        uint256 deadline,
        bytes calldata memberSignature,
        bytes calldata walletSignature
    ) external returns (uint256 points);

    /* THE BRAND'S OWNER */

    /// @notice Changes the transfer policy: a looser one at once, a tighter one with 7 days' notice; either takes the
    /// place of one that waits. Needs the brand's owner role.
    function setPolicy(Policy policy) external;
    /// @notice Puts an account on the list of receivers at once, or takes it off with 7 days' notice. Needs the
    /// brand's owner role.
    function setAllowed(address account, bool allowed) external;

    /// @notice Sets `contractURI`, at most 2,048 bytes. Needs the brand's owner role.
    // forge-lint: disable-next-line(mixed-case-function)
    function setContractURI(string calldata uri) external;

    /* MOA'S CONTRACTS */

    /// @notice Gives a fresh clone its terms, once. Registry only.
    function initialise(Terms calldata terms_) external;
    /// @notice Mints `points` of the present epoch's lot. PartnerExchange only.
    function mint(address member, uint256 points) external;
    /// @notice Mints a batch into the present epoch's lot: `LotNamed`, then a Transfer a line. RewardRules only. Of what a
    /// debtor receives the debt is burnt at once (a second Transfer, DebtChanged and LotsChanged).
    /// @param lines Each `member << 96 | points`, points above 0: a batch is as cheap as its encoding.
    /// @dev Reverts as a whole with LotOverflow when the lot of the present epoch is full.
    function mintBatch(uint256[] calldata lines) external;
    /// @notice Mints lots with the expiry epochs that they had before: each line its own Transfer and LotsChanged.
    /// OpeningBalances only, which has refused what the token could not hold.
    /// @dev Reverts as a whole with LotOverflow.
    function mintLots(LotsLine[] calldata lines) external;
    /// @notice Burns up to `points` of `member`: first of the lot of `expiryEpoch`, which must be live, then of the others,
    /// latest expiry first. RewardRules only.
    /// @param owe Whether the member owes what is missing from now on.
    /// @return taken Points burnt. @return owed Added to the debt. @return forgiven Missing, and not owed.
    function takeBack(address member, uint256 points, uint256 expiryEpoch, bool owe)
        external
        returns (uint256 taken, uint256 owed, uint256 forgiven);
    /// @notice Burns from `member`, oldest first. PartnerExchange and RedemptionDesk only.
    /// @return lots What was taken, packed as above. @return epoch The clock when it was taken.
    function burn(address member, uint256 points) external returns (uint256[4] memory lots, uint256 epoch);
    /// @notice Moves from `member` into the desk's own account, oldest first. RedemptionDesk only.
    /// @return lots What was taken, packed as above. @return epoch The clock when it was taken.
    function setAside(address member, uint256 points) external returns (uint256[4] memory lots, uint256 epoch);
    /// @notice Burns those of `lots` that are still live from the desk's account. RedemptionDesk only.
    /// @return burnt The live part, in points; the rest expired earlier and was gone already.
    function burnAside(uint256[4] calldata lots) external returns (uint256 burnt);
    /// @notice Burns up to `points` of `member`: from the lot of `firstEpoch`, then the latest expiry first.
    /// PartnerExchange (unwinding) only.
    /// @return burnt `points`, or all that the member has if that is less.
    function burnLatest(address member, uint256 points, uint256 firstEpoch) external returns (uint256 burnt);
    /// @notice Gives `lots` in the desk's account back, live ones with their own expiry; expired ones stay gone.
    /// RedemptionDesk only.
    /// @return returned Live points moved back.
    /// @return lapsed Expired points.
    function giveBack(address member, uint256[4] calldata lots) external returns (uint256 returned, uint256 lapsed);
    /// @notice Mints `lots` again as they were: live ones with their own expiry. Expired ones stay gone, or, if
    /// `graced`, live on in the last lot that ends within their own end and the brand's grace, once.
    /// RedemptionDesk (refund) and PartnerExchange (unwinding) only.
    /// @return returned Points minted with their own expiry.
    /// @return renewed Expired points that had their grace.
    /// @return lapsed Expired points that stay gone.
    function restore(address member, uint256[4] calldata lots, bool graced)
        external
        returns (uint256 returned, uint256 renewed, uint256 lapsed);
}
