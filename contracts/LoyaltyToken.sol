// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {ILoyaltyToken} from "./interfaces/ILoyaltyToken.sol";
import {IAuthorised} from "./interfaces/IAuthorised.sol";
import {IERC7818Views} from "./interfaces/IERC7818Views.sol";
import {Authorised} from "./base/Authorised.sol";
import {BrandAccess} from "./base/BrandAccess.sol";
import {Lots} from "./libraries/Lots.sol";
import {Roles} from "./libraries/Roles.sol";

/// @title LoyaltyToken
/// @dev Every movement ends in three primitives over four words: `_takeOldest`, `_remove` (exactly these lots) and
/// `_put`. An account's words and the supply's are the same thing, so supply = sum of balances lot by lot.
contract LoyaltyToken is ILoyaltyToken, Authorised, BrandAccess {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    bytes32 private constant TRANSFER_TYPEHASH =
        keccak256("TransferAuthorisation(address from,address to,uint256 points,uint256 nonce,uint256 deadline)");
    bytes32 private constant LEAVE_TYPEHASH =
        keccak256("Leave(address member,address wallet,uint256 nonce,uint256 deadline)");

    /// @dev An hour and 366 days.
    uint256 private constant EPOCH_SECONDS_MIN = 3_600;
    uint256 private constant EPOCH_SECONDS_MAX = 31_622_400;
    /// @dev Lots minted in one epoch and sixteen live epochs: lifetime + 1 of them at most.
    uint256 private constant LIFETIME_EPOCHS_MAX = 15;
    uint256 private constant NAME_BYTES_MAX = 64;
    uint256 private constant SYMBOL_BYTES_MAX = 11;
    uint256 private constant URI_BYTES_MAX = 2_048;

    // Where each term lies in `_packedTerms`; the layout is published in contracts/README.md.
    uint256 private constant EPOCH_SECONDS_AT = 48;
    uint256 private constant LIFETIME_AT = 80;
    uint256 private constant GRACE_AT = 88;
    uint256 private constant POLICY_AT = 120;
    uint256 private constant BRAND_AT = 128;
    uint256 private constant NEXT_POLICY_AT = 160;
    uint256 private constant NEXT_POLICY_SINCE_AT = 168;
    /// @dev How long a tightening of the transfer policy waits.
    uint256 private constant POLICY_NOTICE = 7 days;
    /// @dev How many members owe points: none, and no award looks for a debt.
    uint256 private constant DEBTORS_AT = 216;

    address private immutable REGISTRY;
    address private immutable RULES;
    address private immutable DESK;
    address private immutable EXCHANGE;
    address private immutable OPENINGS;

    /* STORAGE: published and fixed, slots 0 to 14 */

    mapping(address account => uint256[4] words) private _lots;
    uint256[4] private _supply;
    mapping(address holder => mapping(address spender => uint256 value)) private _allowances;
    uint256 private _packedTerms;
    mapping(address owner => uint256 nonce) private _permitNonces;
    mapping(address member => mapping(uint256 index => uint256 bits)) private _usedNonces;
    /// @dev First second at which the account is no longer on the list; 0: never was, 2^256-1: until taken off.
    mapping(address account => uint256 until) private _allowed;
    string private _name;
    string private _symbol;
    /// @dev Of the points in a lot of the account, those that had their grace already.
    mapping(address account => mapping(uint256 expiryEpoch => uint256 points)) private _renewed;
    /// @inheritdoc ILoyaltyToken
    mapping(address member => uint256 points) public debtOf;
    /// @inheritdoc ILoyaltyToken
    string public contractURI;

    /// @dev The clock of one movement, read from storage once.
    /// @param clock The epoch now. @param groups How many groups can hold live lots: four, or one if nothing expires.
    struct Moment {
        uint256 clock;
        uint256 firstGroup;
        uint256 groups;
    }

    modifier onlyModule(address module) {
        if (msg.sender != module) revert ModuleOnly(msg.sender);
        _;
    }

    modifier onlyModules(address one, address other) {
        if (msg.sender != one && msg.sender != other) revert ModuleOnly(msg.sender);
        _;
    }

    constructor(
        address manager,
        address registry,
        address rules,
        address desk,
        address exchange,
        address openings
    ) BrandAccess(manager) {
        REGISTRY = registry;
        RULES = rules;
        DESK = desk;
        EXCHANGE = exchange;
        OPENINGS = openings;
        // The implementation itself is nobody's token: a brand id that no registry gives keeps `initialise` shut.
        _packedTerms = uint256(type(uint32).max) << BRAND_AT;
    }

    /// @inheritdoc ILoyaltyToken
    function initialise(Terms calldata terms_) external onlyModule(REGISTRY) {
        if (_packedTerms != 0) revert AlreadyInitialised();
        _checkTerms(terms_);

        _packedTerms = block.timestamp | (terms_.epochSeconds << EPOCH_SECONDS_AT)
            | (terms_.lifetimeEpochs << LIFETIME_AT) | (terms_.graceSeconds << GRACE_AT)
            | (uint256(terms_.policy) << POLICY_AT) | (terms_.brandId << BRAND_AT);
        _name = terms_.name;
        _symbol = terms_.symbol;

        emit PolicyChanged(terms_.policy);
    }

    /* READING: ERC-20 */

    /// @inheritdoc IERC20Metadata
    function name() public view returns (string memory) {
        return _name;
    }

    /// @inheritdoc IERC20Metadata
    function symbol() external view returns (string memory) {
        return _symbol;
    }

    /// @inheritdoc IERC20Metadata
    function decimals() external pure returns (uint8) {
        return 2;
    }

    /// @inheritdoc IERC20
    function totalSupply() external view returns (uint256) {
        return _sumLive(_supply);
    }

    /// @inheritdoc IERC20
    function balanceOf(address account) external view returns (uint256) {
        return _sumLive(_lots[account]);
    }

    /// @inheritdoc IERC20
    function allowance(address holder, address spender) external view returns (uint256) {
        return _allowances[holder][spender];
    }

    /* READING: LOTS */

    /// @inheritdoc ILoyaltyToken
    function terms() external view returns (Terms memory) {
        uint256 packed = _packedTerms;
        return Terms({
            name: _name,
            symbol: _symbol,
            brandId: _brandId(packed),
            epochSeconds: _epochSeconds(packed),
            lifetimeEpochs: _lifetime(packed),
            graceSeconds: _grace(packed),
            policy: _policy(packed)
        });
    }

    /// @inheritdoc ILoyaltyToken
    function origin() external view returns (uint256) {
        return _origin(_packedTerms);
    }

    /// @inheritdoc ILoyaltyToken
    function expiryEpochOfMint() external view returns (uint256) {
        uint256 packed = _packedTerms;
        return _mintEpoch(packed, _clock(packed));
    }

    /// @inheritdoc ILoyaltyToken
    function expiryEpochOf(uint256 mintedAt) external view returns (uint256) {
        uint256 packed = _packedTerms;
        uint256 lifetime = _lifetime(packed);
        return lifetime == 0 ? 1 : (mintedAt - _origin(packed)) / _epochSeconds(packed) + 1 + lifetime;
    }

    /// @inheritdoc ILoyaltyToken
    function expiresAt(uint256 expiryEpoch) public view returns (uint256) {
        uint256 packed = _packedTerms;
        if (_lifetime(packed) == 0) return type(uint256).max;
        return _origin(packed) + expiryEpoch * _epochSeconds(packed);
    }

    /// @inheritdoc ILoyaltyToken
    function lotsOf(address account) external view returns (Lot[] memory) {
        return _list(_lots[account]);
    }

    /// @inheritdoc ILoyaltyToken
    function packedLotsOf(address account) external view returns (uint256[4] memory) {
        return _lots[account];
    }

    /// @inheritdoc ILoyaltyToken
    function supplyByExpiry() external view returns (Lot[] memory) {
        return _list(_supply);
    }

    /// @inheritdoc ILoyaltyToken
    function packedSupply() external view returns (uint256[4] memory) {
        return _supply;
    }

    /// @inheritdoc ILoyaltyToken
    function mintable() external view returns (uint256) {
        uint256 packed = _packedTerms;
        return _room(packed, _mintEpoch(packed, _clock(packed)));
    }

    /// @inheritdoc ILoyaltyToken
    function mintLot() external view returns (uint256 expiryEpoch, uint256 room) {
        uint256 packed = _packedTerms;
        expiryEpoch = _mintEpoch(packed, _clock(packed));
        room = _room(packed, expiryEpoch);
    }

    /// @inheritdoc ILoyaltyToken
    function leastLife() external view returns (uint256) {
        uint256 packed = _packedTerms;
        return _lifetime(packed) == 0 ? type(uint256).max : _lifetime(packed) * _epochSeconds(packed);
    }

    /* READING: ERC-7818, what is true of it */

    /// @inheritdoc IERC7818Views
    function currentEpoch() external view returns (uint256) {
        return _clock(_packedTerms);
    }

    /// @inheritdoc IERC7818Views
    function epochLength() external view returns (uint256) {
        uint256 packed = _packedTerms;
        return _lifetime(packed) == 0 ? type(uint256).max : _epochSeconds(packed);
    }

    /// @inheritdoc IERC7818Views
    function epochType() external pure returns (EPOCH_TYPE) {
        return EPOCH_TYPE.TIME_BASED;
    }

    /// @inheritdoc IERC7818Views
    function validityDuration() external view returns (uint256) {
        return _validity(_packedTerms);
    }

    /// @inheritdoc IERC7818Views
    function isEpochExpired(uint256 epoch) external view returns (bool) {
        uint256 packed = _packedTerms;
        uint256 clock = _clock(packed);
        // The clock is at least the epoch where it is subtracted.
        unchecked {
            return epoch < clock && clock - epoch >= _validity(packed);
        }
    }

    /// @inheritdoc IERC7818Views
    function balanceOfAtEpoch(uint256 epoch, address account) external view returns (uint256 points) {
        // No lot is named beyond, and below it the sum is small.
        if (epoch > Lots.EPOCH_MAX) return 0;
        uint256 packed = _packedTerms;
        unchecked {
            (points,) = _firstOf(_lots[account], Lots.LOT_MAX, epoch + _validity(packed), _clock(packed));
        }
    }

    /* READING: WHAT ELSE IT TELLS */

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IERC20).interfaceId
            || interfaceId == type(IERC20Metadata).interfaceId || interfaceId == type(IERC20Permit).interfaceId
            || interfaceId == type(IERC5267).interfaceId;
    }

    /// @inheritdoc ILoyaltyToken
    function isAllowed(address account) external view returns (bool) {
        return _isAllowed(account);
    }

    /// @inheritdoc ILoyaltyToken
    function allowedUntil(address account) external view returns (uint256) {
        return _allowed[account];
    }

    /// @inheritdoc ILoyaltyToken
    function pendingPolicy() external view returns (Policy policy, uint256 inForceAt) {
        uint256 packed = _packedTerms;
        inForceAt = _policySince(packed);
        if (inForceAt <= block.timestamp) return (Policy.Closed, 0);
        policy = Policy((packed >> NEXT_POLICY_AT) & type(uint8).max);
    }

    /// @inheritdoc ILoyaltyToken
    function graceClock() external view returns (uint256) {
        uint256 packed = _packedTerms;
        if (_lifetime(packed) == 0) return 0;
        (uint256 age, uint256 grace) = (block.timestamp - _origin(packed), _grace(packed));
        return age < grace ? 0 : (age - grace) / _epochSeconds(packed);
    }

    /* ERC-20 */

    /// @inheritdoc IERC20
    function transfer(address to, uint256 value) external returns (bool) {
        _transfer(msg.sender, to, value);
        return true;
    }

    /// @inheritdoc IERC20
    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        uint256 allowed = _allowances[from][msg.sender];
        if (allowed != type(uint256).max) {
            if (allowed < value) revert ERC20InsufficientAllowance(msg.sender, allowed, value);
            // Not below 0: compared just above.
            unchecked {
                _allowances[from][msg.sender] = allowed - value;
            }
        }
        _transfer(from, to, value);
        return true;
    }

    /// @inheritdoc IERC20
    function approve(address spender, uint256 value) external returns (bool) {
        _approve(msg.sender, spender, value);
        return true;
    }

    /* ERC-2612 AND ERC-5267 */

    /// @inheritdoc IERC20Permit
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        if (block.timestamp > deadline) revert ERC2612ExpiredSignature(deadline);
        bytes32 structHash =
            keccak256(abi.encode(PERMIT_TYPEHASH, owner, spender, value, _permitNonces[owner]++, deadline));
        _checkSigned(owner, structHash, abi.encodePacked(r, s, v));

        _approve(owner, spender, value);
    }

    /// @inheritdoc IERC20Permit
    function nonces(address owner) external view returns (uint256) {
        return _permitNonces[owner];
    }

    /// @inheritdoc IERC20Permit
    // forge-lint: disable-next-line(mixed-case-function)
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparator();
    }

    /// @inheritdoc IERC5267
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        // 0x0f: name, version, chain id and contract, no salt.
        return (hex"0f", _name, "1", block.chainid, address(this), bytes32(0), new uint256[](0));
    }

    /* THE MEMBER'S OWN ACTS */

    /// @inheritdoc ILoyaltyToken
    function transferWithAuthorisation(
        address from,
        address to,
        uint256 points,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external {
        _checkDeadline(deadline);
        _useNonce(from, nonce);
        _checkSignature(from, keccak256(abi.encode(TRANSFER_TYPEHASH, from, to, points, nonce, deadline)), signature);

        _transfer(from, to, points);
    }

    /// @inheritdoc ILoyaltyToken
    function leave(
        address member,
        address wallet,
        uint256 nonce,
        uint256 deadline,
        bytes calldata memberSignature,
        bytes calldata walletSignature
    ) external returns (uint256 points) {
        _checkDeadline(deadline);
        _useNonce(member, nonce);
        bytes32 structHash = keccak256(abi.encode(LEAVE_TYPEHASH, member, wallet, nonce, deadline));
        _checkSignature(member, structHash, memberSignature);
        _checkSignature(wallet, structHash, walletSignature);
        if (wallet == member) revert ERC20InvalidReceiver(wallet);
        points = _sumLive(_lots[member]);
        if (points == 0) revert ERC20InsufficientBalance(member, 0, 1);

        _move(member, wallet, points);

        emit Left(member, wallet, points);
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

    /* THE BRAND'S OWNER */

    /// @inheritdoc ILoyaltyToken
    function setPolicy(Policy policy) external {
        uint256 packed = _packedTerms;
        _checkRole(Roles.id(_brandId(packed), Roles.OWNER));
        Policy current = _policy(packed);
        // Policies are in order from the tightest to the loosest.
        bool tighter = policy < current;
        uint256 inForceAt = tighter ? block.timestamp + POLICY_NOTICE : 0;

        uint256 kept = packed & ~((uint256(type(uint8).max) << POLICY_AT) | (uint256(type(uint48).max) << NEXT_POLICY_AT));
        _packedTerms = kept | (uint256(tighter ? current : policy) << POLICY_AT)
            | (uint256(tighter ? policy : Policy.Closed) << NEXT_POLICY_AT) | (inForceAt << NEXT_POLICY_SINCE_AT);

        if (tighter) emit PolicyAnnounced(policy, inForceAt);
        else emit PolicyChanged(policy);
    }

    /// @inheritdoc ILoyaltyToken
    function setAllowed(address account, bool allowed) external {
        _checkRole(Roles.id(_brandId(_packedTerms), Roles.OWNER));
        if (allowed || !_isAllowed(account)) {
            _allowed[account] = allowed ? type(uint256).max : 0;
            emit AllowListChanged(account, allowed);
            return;
        }
        uint256 until = block.timestamp + POLICY_NOTICE;
        if (_allowed[account] < until) until = _allowed[account];

        _allowed[account] = until;

        emit AllowListEnding(account, until);
    }

    /// @inheritdoc ILoyaltyToken
    function setContractURI(string calldata uri) external {
        _checkRole(Roles.id(_brandId(_packedTerms), Roles.OWNER));
        if (bytes(uri).length > URI_BYTES_MAX) revert TermsInvalid("contractURI");

        contractURI = uri;

        emit ContractURIUpdated();
    }

    /* MOA'S CONTRACTS */

    /// @inheritdoc ILoyaltyToken
    function mint(address member, uint256 points) external onlyModule(EXCHANGE) {
        _checkReceiver(member);
        (uint256 group, uint256 mask, uint256 shift) = _mintLot(_packedTerms);
        uint256 index = group % Lots.WORDS;

        uint256[4] storage words = _lots[member];
        uint256 word = _addToLot(words[index], points, group, mask, shift);
        words[index] = word;
        _supply[index] = _addToLot(_supply[index], points, group, mask, shift);

        emit Transfer(address(0), member, points);
        _announceWord(member, word);
    }

    /// @inheritdoc ILoyaltyToken
    function mintBatch(uint256[] calldata lines) external onlyModule(RULES) {
        uint256 packed = _packedTerms;
        (uint256 group, uint256 mask, uint256 shift) = _mintLot(packed);
        uint256 index = group % Lots.WORDS;

        emit LotNamed(group * Lots.LOTS + shift / Lots.BITS, lines.length);

        uint256 sum = _mintLines(lines, group, mask, shift, packed >> DEBTORS_AT != 0);
        _supply[index] = _addToLot(_supply[index], sum, group, mask, shift);
    }

    /// @inheritdoc ILoyaltyToken
    function takeBack(address member, uint256 points, uint256 expiryEpoch, bool owe)
        external
        onlyModule(RULES)
        returns (uint256 taken, uint256 owed, uint256 forgiven)
    {
        if (points == 0) return (0, 0, 0);
        uint256 packed = _packedTerms;
        if (_takeFromLot(member, points, expiryEpoch, _clock(packed))) return (points, 0, 0);
        taken = _burnLatest(member, points, expiryEpoch, packed);
        uint256 missing = points - taken;
        if (missing == 0) return (taken, 0, 0);
        if (!owe) return (taken, 0, missing);
        uint256 debt = debtOf[member];
        if (debt == 0) _packedTerms = packed + (1 << DEBTORS_AT);
        debtOf[member] = debt + missing;

        emit DebtChanged(member, debt + missing);
        return (taken, missing, 0);
    }

    /// @inheritdoc ILoyaltyToken
    function mintLots(LotsLine[] calldata lines) external onlyModule(OPENINGS) {
        Moment memory now_ = _moment(_packedTerms);
        for (uint256 k = 0; k < lines.length; ++k) {
            _mintLots(lines[k].member, lines[k].lots, lines[k].points, now_);
        }
    }

    /// @inheritdoc ILoyaltyToken
    function burn(address member, uint256 points)
        external
        onlyModules(EXCHANGE, DESK)
        returns (uint256[4] memory lots, uint256 epoch)
    {
        Moment memory now_ = _moment(_packedTerms);
        uint256[6] memory changes = _takeOldest(member, points, now_, lots);
        _removeSupply(lots, now_.clock);
        epoch = now_.clock;

        emit Transfer(member, address(0), points);
        _announce(member, changes);
        _answer(lots, epoch);
    }

    /// @inheritdoc ILoyaltyToken
    function setAside(address member, uint256 points)
        external
        onlyModule(DESK)
        returns (uint256[4] memory lots, uint256 epoch)
    {
        Moment memory now_ = _moment(_packedTerms);
        uint256[6] memory changes = _takeOldest(member, points, now_, lots);
        uint256[6] memory deskChanges = _put(_lots[DESK], lots, now_.clock);
        epoch = now_.clock;

        emit Transfer(member, DESK, points);
        _announce(member, changes);
        _announce(DESK, deskChanges);
        _answer(lots, epoch);
    }

    /// @inheritdoc ILoyaltyToken
    function burnAside(uint256[4] calldata lots) external onlyModule(DESK) returns (uint256 burnt) {
        Moment memory now_ = _moment(_packedTerms);
        uint256[4] memory alive;
        (alive, burnt,) = _sift(lots, now_);
        uint256[6] memory changes = _remove(_lots[DESK], alive, now_.clock);
        _removeSupply(alive, now_.clock);

        if (burnt > 0) emit Transfer(DESK, address(0), burnt);
        _announce(DESK, changes);
    }

    /// @inheritdoc ILoyaltyToken
    function burnLatest(address member, uint256 points, uint256 firstEpoch)
        external
        onlyModule(EXCHANGE)
        returns (uint256 burnt)
    {
        return _burnLatest(member, points, firstEpoch, _packedTerms);
    }

    /// @inheritdoc ILoyaltyToken
    function giveBack(address member, uint256[4] calldata lots)
        external
        onlyModule(DESK)
        returns (uint256 returned, uint256 lapsed)
    {
        Moment memory now_ = _moment(_packedTerms);
        uint256[4] memory given;
        (given, returned, lapsed) = _sift(lots, now_);
        uint256[6] memory deskChanges = _remove(_lots[DESK], given, now_.clock);
        uint256[6] memory changes = _put(_lots[member], given, now_.clock);

        if (returned > 0) emit Transfer(DESK, member, returned);
        _announce(DESK, deskChanges);
        _announce(member, changes);
    }

    /// @inheritdoc ILoyaltyToken
    function restore(address member, uint256[4] calldata lots, bool graced)
        external
        onlyModules(DESK, EXCHANGE)
        returns (uint256 returned, uint256 renewed, uint256 lapsed)
    {
        uint256 packed = _packedTerms;
        Moment memory now_ = _moment(packed);
        uint256[4] memory given;
        (given, returned, lapsed) = _sift(lots, now_);
        if (graced && lapsed > 0) {
            renewed = _renew(given, member, lots, packed, now_.clock);
            lapsed -= renewed;
        }

        _mintLots(member, given, returned + renewed, now_);
    }

    /* MOVEMENTS */

    /// @dev A transfer by the holder's will, where the policy lets it.
    function _transfer(address from, address to, uint256 points) private {
        Policy policy = _policy(_packedTerms);
        if (policy != Policy.Open && !(policy == Policy.AllowList && _isAllowed(to))) {
            revert TransferNotAllowed(from, to, policy);
        }
        _move(from, to, points);
    }

    function _move(address from, address to, uint256 points) private {
        if (from == address(0)) revert ERC20InvalidSender(from);
        _checkReceiver(to);
        Moment memory now_ = _moment(_packedTerms);
        uint256[4] memory lots;
        uint256[6] memory changes = _takeOldest(from, points, now_, lots);
        uint256[6] memory receiverChanges = _put(_lots[to], lots, now_.clock);

        emit Transfer(from, to, points);
        // To oneself the same words change twice, and only the second state is left.
        if (from != to) _announce(from, changes);
        _announce(to, receiverChanges);
    }

    /// @dev Adds `lots` to the member and to the supply. No Transfer for nothing.
    function _mintLots(address member, uint256[4] memory lots, uint256 points, Moment memory now_) private {
        if (points == 0) return;
        uint256[6] memory changes = _put(_lots[member], lots, now_.clock);
        _put(_supply, lots, now_.clock);

        emit Transfer(address(0), member, points);
        _announce(member, changes);
    }

    /// @dev Where points minted now go.
    /// @return group Of the lot.
    /// @return mask What counts of a word of this group now.
    /// @return shift Where the lot begins in it.
    function _mintLot(uint256 packed) private view returns (uint256 group, uint256 mask, uint256 shift) {
        uint256 clock = _clock(packed);
        uint256 epoch = _mintEpoch(packed, clock);
        // A few divisions of numbers below 2^64.
        unchecked {
            group = epoch / Lots.LOTS;
            shift = Lots.BITS * (epoch % Lots.LOTS);
        }
        mask = Lots.live(Lots.word(group, Lots.POINTS_MASK), group, clock);
    }

    /// @dev Burns `points` of one lot, if it is live and holds them: what nearly every return finds.
    function _takeFromLot(address member, uint256 points, uint256 epoch, uint256 clock) private returns (bool) {
        uint256 group = epoch / Lots.LOTS;
        uint256 index = group % Lots.WORDS;
        uint256 shift = Lots.BITS * (epoch % Lots.LOTS);
        uint256[4] storage words = _lots[member];
        uint256 alive = Lots.live(words[index], group, clock);
        if ((alive >> shift) & Lots.LOT_MAX < points) return false;
        // The lot holds them, and the supply's lot is the sum of all accounts'.
        unchecked {
            alive -= points << shift;
            words[index] = Lots.stored(group, alive);
            _supply[index] = Lots.stored(group, Lots.live(_supply[index], group, clock) - (points << shift));
        }

        emit Transfer(member, address(0), points);
        _announceWord(member, Lots.word(group, alive));
        return true;
    }

    /// @dev Burns up to `points`: of the lot of `firstEpoch`, then of the others, latest expiry first.
    function _burnLatest(address member, uint256 points, uint256 firstEpoch, uint256 packed)
        private
        returns (uint256 burnt)
    {
        Moment memory now_ = _moment(packed);
        uint256[4] memory lots;
        uint256[6] memory changes;
        (lots, burnt, changes) = _takeLatest(member, points, firstEpoch, now_);
        if (burnt == 0) return 0;
        _removeSupply(lots, now_.clock);

        emit Transfer(member, address(0), burnt);
        _announce(member, changes);
    }

    /// @dev Mints a batch, line by line as `_addToLot` and `emit Transfer` would: on an interpreter its steps are the time
    /// of a batch. @param debts Whether anybody owes. @return sum What was minted and not burnt again.
    function _mintLines(uint256[] calldata lines, uint256 group, uint256 mask, uint256 shift, bool debts)
        private
        returns (uint256 sum)
    {
        bytes32 topic = Transfer.selector;
        for (uint256 k = 0; k < lines.length; ++k) {
            // The upper 160 bits are an address. RewardRules has refused the receivers of `_checkReceiver` with
            // MemberInvalid, item by item, and sends no line of 0.
            uint256 member;
            uint256 points;
            bool full;
            assembly ("memory-safe") {
                points := calldataload(add(lines.offset, shl(5, k)))
                member := shr(96, points)
                points := and(points, 0xffffffffffffffffffffffff)
                mstore(0, member)
                mstore(0x20, _lots.slot)
                // The word of the group: the group's number over four is its place.
                let slot := add(keccak256(0, 0x40), and(group, 3))
                let word := sload(slot)
                let alive := mul(and(word, mask), eq(shr(240, word), group))
                full := gt(points, sub(0xffffffffffff, and(shr(shift, alive), 0xffffffffffff)))
                if iszero(full) {
                    sstore(slot, or(shl(240, group), add(alive, shl(shift, points))))
                    mstore(0, points)
                    log3(0, 0x20, topic, 0, member)
                }
            }
            // The same once more, which says what does not fit.
            // forge-lint: disable-next-line(unsafe-typecast)
            if (full) _addToLot(_lots[address(uint160(member))][group % Lots.WORDS], points, group, mask, shift);
            // Each was at most LOT_MAX: 2^208 such lines would be needed.
            unchecked {
                sum += points;
            }
            // forge-lint: disable-next-line(unsafe-typecast)
            if (debts) sum -= _payDebt(address(uint160(member)), points, group % Lots.WORDS, shift);
        }
    }

    /// @dev Burns of the points just minted what the member owes, at most these. Never does an award add to a debt.
    /// @return paid What was burnt again.
    function _payDebt(address member, uint256 points, uint256 index, uint256 shift) private returns (uint256 paid) {
        uint256 debt = debtOf[member];
        if (debt == 0) return 0;
        paid = debt < points ? debt : points;
        debtOf[member] = debt - paid;
        if (debt == paid) _packedTerms -= 1 << DEBTORS_AT;
        // The lot holds at least the points just minted: no borrow, and the tag stays.
        uint256 word = _lots[member][index] - (paid << shift);
        _lots[member][index] = word & Lots.POINTS_MASK == 0 ? 0 : word;

        emit Transfer(member, address(0), paid);
        emit DebtChanged(member, debt - paid);
        _announceWord(member, word);
    }

    /// @dev What the lot of `epoch`, the one that is minted now, can still take.
    function _room(uint256 packed, uint256 epoch) private view returns (uint256) {
        uint256 group = epoch / Lots.LOTS;
        uint256 points = Lots.live(_supply[group % Lots.WORDS], group, _clock(packed));
        return Lots.LOT_MAX - ((points >> (Lots.BITS * (epoch % Lots.LOTS))) & Lots.LOT_MAX);
    }

    /// @dev Adds `points` to one lot of a word of `group`: as `Lots.live` and `Lots.merge`, for the one lot.
    function _addToLot(uint256 packed, uint256 points, uint256 group, uint256 mask, uint256 shift)
        private
        pure
        returns (uint256)
    {
        uint256 alive = packed >> Lots.TAG_SHIFT == group ? packed & mask : 0;
        // A lot is at most LOT_MAX; and once it holds the sum, nothing is carried into the next.
        unchecked {
            uint256 room = Lots.LOT_MAX - ((alive >> shift) & Lots.LOT_MAX);
            if (points > room) revert LotOverflow(group * Lots.LOTS + shift / Lots.BITS, points, room);
            return Lots.word(group, alive + (points << shift));
        }
    }

    /* PRIMITIVES */

    /// @dev Takes `points` of an account, oldest lots first.
    /// @param lots Empty; then what was taken. @return changes The account's words after it, as `_announce` wants them.
    function _takeOldest(address account, uint256 points, Moment memory now_, uint256[4] memory lots)
        private
        returns (uint256[6] memory changes)
    {
        uint256[4] storage words = _lots[account];
        uint256 clock = now_.clock;
        uint256 group = now_.firstGroup;
        uint256 end = group + now_.groups;
        uint256 wanted = points;
        // `take` gives at most what is wanted, and lot by lot at most what is there; the rest counts to four.
        unchecked {
            for (; group < end && wanted > 0; ++group) {
                uint256 index = group % Lots.WORDS;
                uint256 alive = Lots.live(words[index], group, clock);
                if (alive == 0) continue;

                (uint256 taken, uint256 got) = Lots.take(alive, wanted);
                wanted -= got;
                alive -= taken;
                words[index] = Lots.stored(group, alive);
                lots[index] = Lots.word(group, taken);
                _note(changes, Lots.word(group, alive));
            }
        }
        if (wanted > 0) revert ERC20InsufficientBalance(account, points - wanted, points);
    }

    /// @dev Takes up to `points` of an account: from the lot of `firstEpoch`, then the latest expiry first.
    /// @return lots What was taken. @return taken Its sum. @return changes As `_announce` wants them.
    function _takeLatest(address account, uint256 points, uint256 firstEpoch, Moment memory now_)
        private
        returns (uint256[4] memory lots, uint256 taken, uint256[6] memory changes)
    {
        uint256[4] storage words = _lots[account];
        (taken, lots) = _firstOf(words, points, firstEpoch, now_.clock);

        for (uint256 k = now_.groups; k > 0; --k) {
            taken += _takeLatestOf(words, lots, changes, now_.firstGroup + k - 1, now_.clock, points - taken);
        }
    }

    /// @dev Takes what `lots` says of one word already, and up to `wanted` more. @return got Of what is wanted.
    function _takeLatestOf(
        uint256[4] storage words,
        uint256[4] memory lots,
        uint256[6] memory changes,
        uint256 group,
        uint256 clock,
        uint256 wanted
    ) private returns (uint256 got) {
        uint256 index = group % Lots.WORDS;
        uint256 alive = Lots.live(words[index], group, clock);
        uint256 part = lots[index] & Lots.POINTS_MASK;
        uint256 more;
        (more, got) = Lots.takeLatest(alive - part, wanted);
        part += more;
        if (part == 0) return 0;

        words[index] = Lots.stored(group, alive - part);
        lots[index] = Lots.word(group, part);
        _note(changes, Lots.word(group, alive - part));
    }

    /// @dev Up to `points` of one lot, if it is live. Changes nothing.
    function _firstOf(uint256[4] storage words, uint256 points, uint256 epoch, uint256 clock)
        private
        view
        returns (uint256 part, uint256[4] memory lots)
    {
        uint256 group = epoch / Lots.LOTS;
        uint256 shift = Lots.BITS * (epoch % Lots.LOTS);
        part = (Lots.live(words[group % Lots.WORDS], group, clock) >> shift) & Lots.LOT_MAX;
        if (part > points) part = points;
        if (part > 0) lots[group % Lots.WORDS] = Lots.word(group, part << shift);
    }

    /// @dev Takes exactly `lots` (live ones) out of `words`, which hold at least these.
    function _remove(uint256[4] storage words, uint256[4] memory lots, uint256 clock)
        private
        returns (uint256[6] memory changes)
    {
        for (uint256 i = 0; i < Lots.WORDS; ++i) {
            uint256 lot = lots[i];
            if (lot == 0) continue;
            uint256 group = lot >> Lots.TAG_SHIFT;
            // Every live lot lies in the supply, and every held one in the desk's account, so no lot goes below 0;
            // the checked subtraction would stop the whole if it did for the newest.
            uint256 left = Lots.live(words[i], group, clock) - (lot & Lots.POINTS_MASK);
            words[i] = Lots.stored(group, left);
            _note(changes, Lots.word(group, left));
        }
    }

    /// @dev As `_remove`, of the supply: nobody is told its words.
    function _removeSupply(uint256[4] memory lots, uint256 clock) private {
        for (uint256 i = 0; i < Lots.WORDS; ++i) {
            uint256 lot = lots[i];
            if (lot == 0) continue;
            uint256 group = lot >> Lots.TAG_SHIFT;
            _supply[i] = Lots.stored(group, Lots.live(_supply[i], group, clock) - (lot & Lots.POINTS_MASK));
        }
    }

    /// @dev Adds `lots` (live ones) to `words`, each with its own expiry.
    function _put(uint256[4] storage words, uint256[4] memory lots, uint256 clock)
        private
        returns (uint256[6] memory changes)
    {
        for (uint256 i = 0; i < Lots.WORDS; ++i) {
            uint256 lot = lots[i];
            if (lot == 0) continue;
            uint256 group = lot >> Lots.TAG_SHIFT;
            uint256 merged = Lots.merge(group, Lots.live(words[i], group, clock), lot & Lots.POINTS_MASK);
            uint256 word = Lots.word(group, merged);
            words[i] = word;
            _note(changes, word);
        }
    }

    /// @dev Adds a word to `changes`: [1] counts, [2] to [5] are the words. At most four are ever added.
    function _note(uint256[6] memory changes, uint256 word) private pure {
        assembly ("memory-safe") {
            let place := add(changes, 0x20)
            let count := add(mload(place), 1)
            mstore(place, count)
            mstore(add(place, shl(5, count)), word)
        }
    }

    /// @dev Parts remembered lots by whether they still live.
    /// @return alive The live ones, packed. @return living Their sum. @return expired The sum of the others.
    function _sift(uint256[4] calldata lots, Moment memory now_)
        private
        pure
        returns (uint256[4] memory alive, uint256 living, uint256 expired)
    {
        for (uint256 i = 0; i < Lots.WORDS; ++i) {
            uint256 packed = lots[i];
            uint256 group = packed >> Lots.TAG_SHIFT;
            uint256 points = Lots.live(packed, group, now_.clock);
            uint256 sum = Lots.sum(points);
            living += sum;
            expired += Lots.sum(packed & Lots.POINTS_MASK) - sum;
            alive[i] = Lots.stored(group, points);
        }
    }

    /// @dev Adds to `given` what of the ended `lots` the brand's grace still lets live: each in the last lot that ends
    /// within its own end and the grace. What had its grace before has none again.
    function _renew(
        uint256[4] memory given,
        address member,
        uint256[4] calldata lots,
        uint256 packed,
        uint256 clock
    ) private returns (uint256 renewed) {
        uint256 graceEpochs = _grace(packed) / _epochSeconds(packed);
        for (uint256 i = 0; i < Lots.WORDS * Lots.LOTS; ++i) {
            uint256 word = lots[i / Lots.LOTS];
            uint256 part = (word >> (Lots.BITS * (i % Lots.LOTS))) & Lots.LOT_MAX;
            uint256 epoch = (word >> Lots.TAG_SHIFT) * Lots.LOTS + i % Lots.LOTS;
            if (part == 0 || epoch > clock || epoch + graceEpochs <= clock) continue;
            renewed += _renewLot(given, _renewed[member], part, epoch, epoch + graceEpochs);
        }
    }

    /// @dev Moves `part` of the lot of `epoch` into that of `later`, less what had its grace before.
    function _renewLot(
        uint256[4] memory given,
        mapping(uint256 => uint256) storage marks,
        uint256 part,
        uint256 epoch,
        uint256 later
    ) private returns (uint256) {
        uint256 had = marks[epoch];
        if (had > 0) {
            if (part <= had) {
                marks[epoch] = had - part;
                return 0;
            }
            marks[epoch] = 0;
            part -= had;
        }
        if (later > Lots.EPOCH_MAX) revert EpochOutOfRange(later);

        marks[later] += part;
        uint256 group = later / Lots.LOTS;
        uint256 index = group % Lots.WORDS;
        given[index] = Lots.word(group, Lots.merge(group, given[index] & Lots.POINTS_MASK, Lots.single(later, part)));
        return part;
    }

    /// @dev Ends the call with these five words: what the encoder does with a loop.
    function _answer(uint256[4] memory lots, uint256 epoch) private pure {
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, mload(lots))
            mstore(add(data, 0x20), mload(add(lots, 0x20)))
            mstore(add(data, 0x40), mload(add(lots, 0x40)))
            mstore(add(data, 0x60), mload(add(lots, 0x60)))
            mstore(add(data, 0x80), epoch)
            return(data, 0xa0)
        }
    }

    /// @dev LotsChanged of the words noted, if any. `changes` is the event's data as the ABI wants it, but for the
    /// offset in its first word: the encoder's loop over an array costs more than a movement's arithmetic.
    function _announce(address account, uint256[6] memory changes) private {
        uint256 count = changes[1];
        if (count == 0) return;
        changes[0] = 0x20;
        bytes32 topic = LotsChanged.selector;
        assembly ("memory-safe") {
            log2(changes, add(0x40, mul(0x20, count)), topic, account)
        }
    }

    /// @dev LotsChanged of one word, likewise.
    function _announceWord(address account, uint256 word) private {
        bytes32 topic = LotsChanged.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, 0x20)
            mstore(add(data, 0x20), 1)
            mstore(add(data, 0x40), word)
            log2(data, 0x60, topic, account)
        }
    }

    function _sumLive(uint256[4] storage words) private view returns (uint256 points) {
        Moment memory now_ = _moment(_packedTerms);
        for (uint256 k = 0; k < now_.groups; ++k) {
            uint256 group = now_.firstGroup + k;
            points += Lots.sum(Lots.live(words[group % Lots.WORDS], group, now_.clock));
        }
    }

    function _list(uint256[4] storage words) private view returns (Lot[] memory list) {
        Moment memory now_ = _moment(_packedTerms);
        list = new Lot[](Lots.WORDS * Lots.LOTS);
        uint256 count = 0;
        for (uint256 k = 0; k < now_.groups; ++k) {
            uint256 group = now_.firstGroup + k;
            uint256 points = Lots.live(words[group % Lots.WORDS], group, now_.clock);
            for (uint256 lot = 0; lot < Lots.LOTS; ++lot) {
                uint256 part = (points >> (Lots.BITS * lot)) & Lots.LOT_MAX;
                if (part == 0) continue;
                uint256 epoch = group * Lots.LOTS + lot;
                list[count++] = Lot({expiryEpoch: epoch, expiresAt: expiresAt(epoch), points: part});
            }
        }
        // Only ever shorter than it was made: the memory behind it stays unused.
        assembly ("memory-safe") {
            mstore(list, count)
        }
    }

    /* TERMS */

    function _moment(uint256 packed) private view returns (Moment memory now_) {
        now_.clock = _clock(packed);
        now_.firstGroup = Lots.firstGroup(now_.clock);
        now_.groups = _lifetime(packed) == 0 ? 1 : Lots.WORDS;
    }

    /// @dev The clock of points that never expire stands still, and so nothing ever expires.
    function _clock(uint256 packed) private view returns (uint256) {
        if (_lifetime(packed) == 0) return 0;
        // The origin is a past block's time; an epoch has an hour at least.
        unchecked {
            return (block.timestamp - _origin(packed)) / _epochSeconds(packed);
        }
    }

    function _mintEpoch(uint256 packed, uint256 clock) private pure returns (uint256 epoch) {
        // A clock of seconds, and sixteen.
        unchecked {
            epoch = clock + 1 + _lifetime(packed);
        }
        if (epoch > Lots.EPOCH_MAX) revert EpochOutOfRange(epoch);
    }

    function _origin(uint256 packed) private pure returns (uint256) {
        return packed & type(uint48).max;
    }

    function _epochSeconds(uint256 packed) private pure returns (uint256) {
        return (packed >> EPOCH_SECONDS_AT) & type(uint32).max;
    }

    function _lifetime(uint256 packed) private pure returns (uint256) {
        return (packed >> LIFETIME_AT) & type(uint8).max;
    }

    /// @dev In how many epochs points are valid, that of their minting included.
    function _validity(uint256 packed) private pure returns (uint256) {
        unchecked {
            return 1 + _lifetime(packed);
        }
    }

    function _grace(uint256 packed) private pure returns (uint256) {
        return (packed >> GRACE_AT) & type(uint32).max;
    }

    /// @dev As of this second: an announced one that waits is not yet in force.
    function _policy(uint256 packed) private view returns (Policy) {
        uint256 since = _policySince(packed);
        uint256 at = since != 0 && block.timestamp >= since ? NEXT_POLICY_AT : POLICY_AT;
        return Policy((packed >> at) & type(uint8).max);
    }

    function _policySince(uint256 packed) private pure returns (uint256) {
        return (packed >> NEXT_POLICY_SINCE_AT) & type(uint40).max;
    }

    function _isAllowed(address account) private view returns (bool) {
        return block.timestamp < _allowed[account];
    }

    function _brandId(uint256 packed) private pure returns (uint256) {
        return (packed >> BRAND_AT) & type(uint32).max;
    }

    function _checkTerms(Terms calldata terms_) private pure {
        uint256 nameBytes = bytes(terms_.name).length;
        uint256 symbolBytes = bytes(terms_.symbol).length;
        if (nameBytes == 0 || nameBytes > NAME_BYTES_MAX) revert TermsInvalid("name");
        if (symbolBytes == 0 || symbolBytes > SYMBOL_BYTES_MAX) revert TermsInvalid("symbol");
        if (terms_.brandId == 0 || terms_.brandId >= type(uint32).max) revert TermsInvalid("brandId");
        if (terms_.epochSeconds < EPOCH_SECONDS_MIN || terms_.epochSeconds > EPOCH_SECONDS_MAX) {
            revert TermsInvalid("epochSeconds");
        }
        if (terms_.lifetimeEpochs > LIFETIME_EPOCHS_MAX) revert TermsInvalid("lifetimeEpochs");
        uint256 graceMax = terms_.lifetimeEpochs == 0 ? 0 : LIFETIME_EPOCHS_MAX * terms_.epochSeconds;
        if (terms_.graceSeconds > graceMax) revert TermsInvalid("graceSeconds");
    }

    /* AUTHORITY */

    /// @dev Points that went to these would be out of every member's reach.
    function _checkReceiver(address to) private view {
        if (to == address(0) || to == address(this) || to == DESK) revert ERC20InvalidReceiver(to);
    }

    function _approve(address holder, address spender, uint256 value) private {
        if (spender == address(0)) revert ERC20InvalidSpender(spender);

        _allowances[holder][spender] = value;

        emit Approval(holder, spender, value);
    }

    function _useNonce(address member, uint256 nonce) private {
        uint256 bit = 1 << (nonce & 0xff);
        uint256 bits = _usedNonces[member][nonce >> 8];
        if (bits & bit != 0) revert AuthorisationUsed(member, nonce);

        _usedNonces[member][nonce >> 8] = bits | bit;
    }

    /// @dev Computed each time: a clone has no immutables of its own, and its name is its own.
    function _domainSeparator() internal view override returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256(bytes(_name)), keccak256("1"), block.chainid, address(this))
        );
    }
}
