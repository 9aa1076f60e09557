// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {IPartnerRegistry} from "./interfaces/IPartnerRegistry.sol";
import {BrandAccess} from "./base/BrandAccess.sol";
import {Roles} from "./libraries/Roles.sol";

/// @title ClearingHouse
/// @dev owed of a brand = sum of its obligations + its netted debts (`due`). Collateral of all brands = what the house
/// holds of the settlement token, unless someone sent it some without `deposit`.
contract ClearingHouse is IClearingHouse, BrandAccess, ReentrancyGuard {
    using SafeERC20 for IERC20;

    uint256 private constant BPS = 10_000;
    uint256 private constant NET_BRANDS_MAX = 32;
    uint256 private constant CREDITORS_MAX = 64;
    uint256 private constant AMOUNT_MAX = type(uint96).max;

    /// @dev One word for what every booking touches.
    struct Books {
        uint120 collateral;
        uint120 owed;
        bool inDefault;
    }

    IPartnerRegistry private immutable REGISTRY;
    IERC20 private immutable TOKEN;
    /// @inheritdoc IClearingHouse
    uint256 public immutable coverBps;

    mapping(uint256 brandId => Books books) private _books;
    mapping(uint256 brandId => uint256 amount) private _due;
    /// @inheritdoc IClearingHouse
    mapping(uint256 debtorId => mapping(uint256 creditorId => uint256 amount)) public obligationOf;
    /// @inheritdoc IClearingHouse
    uint256 public nextPeriod = 1;
    /// @inheritdoc IClearingHouse
    mapping(uint256 period => bytes32 statement) public statementOf;

    modifier onlyExchange() {
        if (msg.sender != REGISTRY.partnerExchange()) revert ExchangeContractOnly(msg.sender);
        _;
    }

    constructor(address manager, address registry, address token, uint256 coverBps_) BrandAccess(manager) {
        if (coverBps_ > BPS) revert AmountTooLarge(coverBps_, BPS);
        REGISTRY = IPartnerRegistry(registry);
        TOKEN = IERC20(token);
        coverBps = coverBps_;
    }

    /* READING */

    /// @inheritdoc IClearingHouse
    function settlementToken() external view returns (address) {
        return address(TOKEN);
    }

    /// @inheritdoc IClearingHouse
    function accountOf(uint256 brandId) external view returns (Account memory) {
        Books memory books = _books[brandId];
        return Account({
            collateral: books.collateral,
            owed: books.owed,
            due: _due[brandId],
            inDefault: books.inDefault
        });
    }

    /// @inheritdoc IClearingHouse
    function positionsOf(uint256[] calldata brandIds)
        public
        view
        returns (int256[] memory positions, uint256 grossTotal)
    {
        uint256 count = brandIds.length;
        if (count < 2 || count > NET_BRANDS_MAX) revert BrandListWrong(count, NET_BRANDS_MAX);
        _checkSorted(brandIds);
        positions = new int256[](count);
        for (uint256 i = 0; i < count; ++i) {
            for (uint256 j = 0; j < count; ++j) {
                if (i == j) continue;
                uint256 amount = obligationOf[brandIds[i]][brandIds[j]];
                if (amount == 0) continue;
                grossTotal += amount;
                // An obligation has at most 120 bits, and there are at most 992 of them.
                // forge-lint: disable-next-line(unsafe-typecast)
                int256 signed = int256(amount);
                positions[i] -= signed;
                positions[j] += signed;
            }
        }
    }

    /* COLLATERAL */

    /// @inheritdoc IClearingHouse
    function deposit(uint256 brandId, uint256 amount) external nonReentrant {
        REGISTRY.tokenOf(brandId);
        if (amount == 0) revert AmountMissing();
        if (amount > AMOUNT_MAX) revert AmountTooLarge(amount, AMOUNT_MAX);

        // What arrived counts, not what was asked for: some tokens take a fee of their own. The guard keeps a token that
        // calls back from having one arrival counted twice.
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = TOKEN.balanceOf(address(this)) - before;
        if (received == 0) revert AmountMissing();
        if (received > AMOUNT_MAX) revert AmountTooLarge(received, AMOUNT_MAX);

        Books storage books = _books[brandId];
        // At most 2^96 each time: 2^24 deposits of everything would be needed, and the checked sum stops them.
        // forge-lint: disable-next-line(unsafe-typecast)
        books.collateral += uint120(received);

        emit CollateralDeposited(brandId, msg.sender, received, books.collateral);
    }

    /// @inheritdoc IClearingHouse
    function withdraw(uint256 brandId, uint256 amount) external nonReentrant {
        address treasury = REGISTRY.brandOf(brandId).treasury;
        _checkRole(Roles.id(brandId, Roles.TREASURER));
        if (amount == 0) revert AmountMissing();
        Books memory books = _books[brandId];
        if (books.inDefault) revert BrandInDefault(brandId);
        uint256 required = _required(books.owed, _due[brandId]) + amount;
        if (required > books.collateral) revert CollateralExceeded(brandId, required, books.collateral);

        // Not above the collateral, which has 120 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        books.collateral -= uint120(amount);
        _books[brandId] = books;

        emit CollateralWithdrawn(brandId, treasury, amount, books.collateral);

        TOKEN.safeTransfer(treasury, amount);
    }

    /* PARTNER EXCHANGE */

    /// @inheritdoc IClearingHouse
    function book(uint256 debtorId, uint256 creditorId, uint256 amount, uint256 exposureCap, bytes32 exchangeId)
        external
        onlyExchange
    {
        _checkNoDefault(debtorId, creditorId);
        uint256 outstanding = obligationOf[debtorId][creditorId] + amount;
        if (outstanding > exposureCap) revert ExposureExceeded(debtorId, creditorId, outstanding, exposureCap);

        _book(debtorId, creditorId, amount, outstanding, exchangeId);
    }

    /// @inheritdoc IClearingHouse
    function unbook(uint256 debtorId, uint256 creditorId, uint256 amount, bytes32 exchangeId) external onlyExchange {
        _checkNoDefault(debtorId, creditorId);
        uint256 outstanding = obligationOf[debtorId][creditorId];
        uint256 reduced = amount < outstanding ? amount : outstanding;
        if (reduced > 0) {
            _reduce(debtorId, creditorId, reduced, exchangeId);
            // At most what the debtor owes in all.
            // forge-lint: disable-next-line(unsafe-typecast)
            _books[debtorId].owed -= uint120(reduced);
        }
        if (reduced == amount) return;

        // The rest was netted or paid: the creditor has had it and owes it back, under its own collateral.
        uint256 back = amount - reduced;
        _book(creditorId, debtorId, back, obligationOf[creditorId][debtorId] + back, exchangeId);
    }

    /* NETTING */

    /// @inheritdoc IClearingHouse
    function net(uint256 period, uint256[] calldata brandIds) external returns (int256[] memory positions) {
        _checkRole(Roles.OPERATOR);
        if (period != nextPeriod) revert PeriodWrong(period, nextPeriod);
        uint256 grossTotal;
        (positions, grossTotal) = positionsOf(brandIds);
        _checkBalanced(positions);

        nextPeriod = period + 1;
        statementOf[period] = keccak256(abi.encode(period, brandIds, positions));
        for (uint256 i = 0; i < brandIds.length; ++i) {
            _closePosition(brandIds, i, positions[i]);
        }

        emit PeriodNetted(period, brandIds, positions, grossTotal);
    }

    /// @inheritdoc IClearingHouse
    function settle(uint256 period, uint256[] calldata brandIds, int256[] calldata positions) external {
        bytes32 statement = statementOf[period];
        if (statement == 0 || statement != keccak256(abi.encode(period, brandIds, positions))) {
            revert StatementUnknown(period);
        }

        delete statementOf[period];
        uint256 paid = 0;
        for (uint256 i = 0; i < brandIds.length; ++i) {
            paid += _settlePosition(period, brandIds[i], positions[i]);
        }

        emit PeriodSettled(period, paid);
    }

    /* DEFAULT */

    /// @inheritdoc IClearingHouse
    function declareDefault(uint256 brandId, uint256[] calldata creditorIds) external {
        REGISTRY.tokenOf(brandId);
        _checkRole(Roles.OPERATOR);
        if (_books[brandId].inDefault) revert BrandInDefault(brandId);
        if (_due[brandId] > 0) revert SettlementPending(brandId, _due[brandId]);
        if (creditorIds.length > CREDITORS_MAX) revert BrandListWrong(creditorIds.length, CREDITORS_MAX);
        _checkSorted(creditorIds);

        uint256 claims = _setOff(brandId, creditorIds);
        Books storage books = _books[brandId];
        if (claims != books.owed) revert CreditorsIncomplete(claims, books.owed);
        uint256 pool = books.collateral < claims ? books.collateral : claims;
        books.inDefault = true;
        books.owed = 0;
        // At most the collateral.
        // forge-lint: disable-next-line(unsafe-typecast)
        books.collateral -= uint120(pool);
        _payClaims(brandId, creditorIds, claims, pool);

        emit BrandDefaulted(brandId, claims, pool);
    }

    /// @inheritdoc IClearingHouse
    function cureDefault(uint256 brandId) external {
        _checkRole(Roles.OPERATOR);
        if (!_books[brandId].inDefault) revert BrandNotInDefault(brandId);

        _books[brandId].inDefault = false;

        emit DefaultCured(brandId);
    }

    /* INSIDE */

    function _checkNoDefault(uint256 one, uint256 other) private view {
        if (_books[one].inDefault) revert BrandInDefault(one);
        if (_books[other].inDefault) revert BrandInDefault(other);
    }

    /// @dev Books a debt that its debtor's collateral covers.
    function _book(uint256 debtorId, uint256 creditorId, uint256 amount, uint256 outstanding, bytes32 exchangeId)
        private
    {
        Books memory books = _books[debtorId];
        if (amount > AMOUNT_MAX) revert AmountTooLarge(amount, AMOUNT_MAX);
        uint256 owed = books.owed + amount;
        // Full cover asks the same of netted and other debts, so `due` need not be read.
        uint256 required = _required(owed, coverBps == BPS ? 0 : _due[debtorId]);
        if (required > books.collateral) revert CollateralExceeded(debtorId, required, books.collateral);
        if (owed > type(uint120).max) revert AmountTooLarge(owed, type(uint120).max);

        obligationOf[debtorId][creditorId] = outstanding;
        // forge-lint: disable-next-line(unsafe-typecast)
        books.owed = uint120(owed);
        _books[debtorId] = books;

        emit ObligationBooked(debtorId, creditorId, exchangeId, amount, outstanding);
    }

    function _reduce(uint256 debtorId, uint256 creditorId, uint256 amount, bytes32 exchangeId) private {
        uint256 outstanding = obligationOf[debtorId][creditorId] - amount;
        obligationOf[debtorId][creditorId] = outstanding;

        emit ObligationReduced(debtorId, creditorId, exchangeId, amount, outstanding);
    }

    /// @dev Clears what brand `i` owes the others, and keeps its position's debt as due. Collateral must cover it.
    function _closePosition(uint256[] calldata brandIds, uint256 i, int256 position) private {
        uint256 brandId = brandIds[i];
        uint256 gross = 0;
        for (uint256 j = 0; j < brandIds.length; ++j) {
            uint256 amount = obligationOf[brandId][brandIds[j]];
            if (amount == 0) continue;
            gross += amount;
            obligationOf[brandId][brandIds[j]] = 0;
        }
        // A position is at most the gross it comes from: far below 2^255.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint256 debt = position < 0 ? uint256(-position) : 0;
        if (gross == 0 && debt == 0) return;

        Books memory books = _books[brandId];
        uint256 owed = books.owed - gross + debt;
        uint256 due = _due[brandId] + debt;
        uint256 required = _required(owed, due);
        if (debt > 0 && required > books.collateral) revert CollateralExceeded(brandId, required, books.collateral);
        // Netting never makes a brand owe more: debt is at most gross.
        // forge-lint: disable-next-line(unsafe-typecast)
        books.owed = uint120(owed);
        _books[brandId] = books;
        if (debt > 0) _due[brandId] = due;
    }

    /// @return paid What a debtor paid; 0 for a creditor.
    function _settlePosition(uint256 period, uint256 brandId, int256 position) private returns (uint256 paid) {
        if (position == 0) return 0;
        Books memory books = _books[brandId];
        // Positions came from `net`: at most 120 bits, and a debt is covered by collateral since then.
        // forge-lint: disable-start(unsafe-typecast)
        if (position < 0) {
            paid = uint256(-position);
            books.collateral -= uint120(paid);
            books.owed -= uint120(paid);
            _due[brandId] -= paid;
        } else {
            books.collateral += uint120(uint256(position));
        }
        // forge-lint: disable-end(unsafe-typecast)
        _books[brandId] = books;

        emit PositionSettled(period, brandId, position, books.collateral);
    }

    /// @dev Sets debts both ways off against each other. @return claims What the brand still owes these creditors.
    function _setOff(uint256 brandId, uint256[] calldata creditorIds) private returns (uint256 claims) {
        for (uint256 i = 0; i < creditorIds.length; ++i) {
            uint256 creditorId = creditorIds[i];
            uint256 claim = obligationOf[brandId][creditorId];
            uint256 counter = obligationOf[creditorId][brandId];
            uint256 both = claim < counter ? claim : counter;
            if (both > 0) {
                _reduce(brandId, creditorId, both, 0);
                _reduce(creditorId, brandId, both, 0);
                // Each side owes at least this in all.
                // forge-lint: disable-start(unsafe-typecast)
                _books[brandId].owed -= uint120(both);
                _books[creditorId].owed -= uint120(both);
                // forge-lint: disable-end(unsafe-typecast)
            }
            claims += claim - both;
        }
    }

    /// @dev Pays `pool` to the claims in proportion. The running total is rounded down, not each part, so that the
    /// parts make up the pool to the unit and no one differs from its share by more than one.
    function _payClaims(uint256 brandId, uint256[] calldata creditorIds, uint256 claims, uint256 pool) private {
        uint256 claimed = 0;
        uint256 paid = 0;
        for (uint256 i = 0; i < creditorIds.length; ++i) {
            uint256 creditorId = creditorIds[i];
            uint256 claim = obligationOf[brandId][creditorId];
            if (claim == 0) continue;
            claimed += claim;
            uint256 part = claimed * pool / claims - paid;
            paid += part;
            obligationOf[brandId][creditorId] = 0;
            Books storage books = _books[creditorId];
            // At most the defaulter's collateral.
            // forge-lint: disable-next-line(unsafe-typecast)
            books.collateral += uint120(part);

            emit ClaimPaid(brandId, creditorId, claim, part, books.collateral);
        }
    }

    /// @dev Collateral that debts of `owed`, `due` of them netted, ask for: netted ones whole, the rest by coverBps, up.
    function _required(uint256 owed, uint256 due) private view returns (uint256) {
        return due + ((owed - due) * coverBps + BPS - 1) / BPS;
    }

    function _checkBalanced(int256[] memory positions) private pure {
        int256 sum = 0;
        for (uint256 i = 0; i < positions.length; ++i) {
            sum += positions[i];
        }
        if (sum != 0) revert PositionsUnbalanced(sum);
    }

    function _checkSorted(uint256[] calldata brandIds) private pure {
        for (uint256 i = 1; i < brandIds.length; ++i) {
            if (brandIds[i - 1] >= brandIds[i]) revert BrandListUnsorted(brandIds[i - 1], brandIds[i]);
        }
    }
}
