// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {IPartnerRegistry} from "./interfaces/IPartnerRegistry.sol";
import {BrandAccess} from "./base/BrandAccess.sol";
import {Roles} from "./libraries/Roles.sol";
import {SettlementTokens} from "./libraries/SettlementTokens.sol";

/// @title ClearingHouse
/// @dev owed of a brand = sum of its obligations + its netted debts (`due`). What two brands owe each other is one
/// number with a sign. Collateral of all brands = `collateralTotal`; what the house holds of the settlement token above
/// it is a surplus, below it a shortfall.
contract ClearingHouse is IClearingHouse, BrandAccess, ReentrancyGuard {
    using SafeERC20 for IERC20;

    uint256 private constant BPS = 10_000;
    uint256 private constant NET_BRANDS_MAX = 64;
    uint256 private constant CREDITORS_MAX = 64;
    uint256 private constant AMOUNT_MAX = type(uint96).max;

    /// @dev One word for what every booking touches.
    /// @param unsettled Some of what it owes is netted and not yet settled: `_due` is more than 0.
    struct Books {
        uint120 collateral;
        uint120 owed;
        bool inDefault;
        bool unsettled;
    }

    /// @dev A number of `_net` where it lies.
    struct Net {
        int256 amount;
    }

    IPartnerRegistry private immutable REGISTRY;
    IERC20 private immutable TOKEN;
    /// @inheritdoc IClearingHouse
    address public immutable reserve;
    /// @inheritdoc IClearingHouse
    uint256 public immutable coverBps;

    mapping(uint256 brandId => Books books) private _books;
    mapping(uint256 brandId => uint256 amount) private _due;
    /// @dev More than 0: the brand with the smaller id owes the other; less: the other way.
    mapping(uint256 lowBrandId => mapping(uint256 highBrandId => int256 amount)) private _net;
    /// @inheritdoc IClearingHouse
    uint256 public nextPeriod = 1;
    /// @inheritdoc IClearingHouse
    mapping(uint256 period => bytes32 statement) public statementOf;

    /// @inheritdoc IClearingHouse
    uint256 public collateralTotal;

    modifier onlyExchange() {
        if (msg.sender != REGISTRY.partnerExchange()) revert ExchangeContractOnly(msg.sender);
        _;
    }

    constructor(address manager, address registry, address token, uint256 coverBps_, address reserve_)
        BrandAccess(manager)
    {
        // Less than whole cover would be credit, and credit between brands is named where it is given: not here.
        if (coverBps_ != BPS) revert CoverWrong(coverBps_, BPS);
        if (reserve_ == address(0)) revert ReserveMissing();
        SettlementTokens.check(token);
        REGISTRY = IPartnerRegistry(registry);
        TOKEN = IERC20(token);
        coverBps = coverBps_;
        reserve = reserve_;
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
    function obligationOf(uint256 debtorId, uint256 creditorId) public view returns (uint256) {
        int256 owes = _owes(debtorId, creditorId);
        // Above 0.
        // forge-lint: disable-next-line(unsafe-typecast)
        return owes > 0 ? uint256(owes) : 0;
    }

    /// @inheritdoc IClearingHouse
    function shortfall() external view returns (uint256) {
        uint256 held = TOKEN.balanceOf(address(this));
        return held < collateralTotal ? collateralTotal - held : 0;
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
            mapping(uint256 => int256) storage row = _net[brandIds[i]];
            for (uint256 j = i + 1; j < count; ++j) {
                int256 owes = row[brandIds[j]];
                if (owes == 0) continue;
                // A debt has at most 120 bits, and there are at most 2,016 pairs.
                // forge-lint: disable-next-line(unsafe-typecast)
                grossTotal += uint256(owes > 0 ? owes : -owes);
                positions[i] -= owes;
                positions[j] += owes;
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
        collateralTotal += received;

        emit CollateralDeposited(brandId, msg.sender, received, books.collateral);
    }

    /// @inheritdoc IClearingHouse
    function withdraw(uint256 brandId, uint256 amount, address to) external nonReentrant {
        (address treasury, bool stopped) = REGISTRY.treasuryOf(brandId);
        _checkRole(Roles.id(brandId, Roles.TREASURER));
        if (stopped) revert WithdrawalFrozen(brandId);
        // An announced withdrawal goes where it was announced to, or nowhere.
        if (to != treasury) revert TreasuryOther(to, treasury);
        if (amount == 0) revert AmountMissing();
        if (_books[brandId].inDefault) revert BrandInDefault(brandId);

        // Before the token is called: whatever it calls in turn finds the collateral gone.
        uint256 total = collateralTotal;
        _debit(brandId, amount);
        (uint256 paid, uint256 fee) = _payOut(to, amount, total);
        if (fee > 0) _debit(brandId, fee);

        emit CollateralWithdrawn(brandId, to, amount + fee, _books[brandId].collateral);
        if (paid < amount) emit ShortfallShared(brandId, amount, paid);
    }

    /// @inheritdoc IClearingHouse
    function skim() external nonReentrant returns (uint256 amount) {
        uint256 held = TOKEN.balanceOf(address(this));
        if (held <= collateralTotal) revert AmountMissing();
        amount = held - collateralTotal;

        emit SurplusSkimmed(reserve, amount);

        TOKEN.safeTransfer(reserve, amount);
        if (TOKEN.balanceOf(address(this)) < collateralTotal) revert SettlementTokenUnfit(address(TOKEN), "fee");
    }

    /* PARTNER EXCHANGE */

    /// @inheritdoc IClearingHouse
    function book(uint256 debtorId, uint256 creditorId, uint256 amount, uint256 exposureCap, bytes32 exchangeId)
        external
        onlyExchange
    {
        _checkNoDefault(debtorId, creditorId);
        _book(debtorId, creditorId, amount, exposureCap, exchangeId);
    }

    /// @inheritdoc IClearingHouse
    function unbook(uint256 debtorId, uint256 creditorId, uint256 amount, bytes32 exchangeId) external onlyExchange {
        _checkNoDefault(debtorId, creditorId);
        // What the creditor has had of it by netting or payment it owes back, under its own collateral.
        _book(creditorId, debtorId, amount, type(uint256).max, exchangeId);
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
        Books storage books = _books[brandId];
        if (books.inDefault) revert BrandInDefault(brandId);
        if (_due[brandId] > 0) revert SettlementPending(brandId, _due[brandId]);
        _checkCreditors(creditorIds);

        books.inDefault = true;
        uint256 claims = books.owed;
        uint256 paid = _payClaims(brandId, creditorIds);

        emit BrandDefaulted(brandId, claims, paid);
    }

    /// @inheritdoc IClearingHouse
    function payClaims(uint256 brandId, uint256[] calldata creditorIds) external {
        _checkRole(Roles.OPERATOR);
        if (!_books[brandId].inDefault) revert BrandNotInDefault(brandId);
        _checkCreditors(creditorIds);

        uint256 paid = _payClaims(brandId, creditorIds);
        if (paid == 0) revert AmountMissing();

        emit ClaimsPaid(brandId, paid, _books[brandId].owed);
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

    function _checkCreditors(uint256[] calldata brandIds) private pure {
        if (brandIds.length > CREDITORS_MAX) revert BrandListWrong(brandIds.length, CREDITORS_MAX);
        _checkSorted(brandIds);
    }

    /// @dev Sets `amount` off against what the creditor owes the debtor; what is left is a debt that its debtor's
    /// collateral covers.
    function _book(uint256 debtorId, uint256 creditorId, uint256 amount, uint256 exposureCap, bytes32 exchangeId)
        private
    {
        if (amount > AMOUNT_MAX) revert AmountTooLarge(amount, AMOUNT_MAX);
        (Net storage net_, bool low) = _netOf(debtorId, creditorId);
        // At most 2^96-1, and a debt between two has 120 bits at most.
        // forge-lint: disable-start(unsafe-typecast)
        int256 owes = low ? net_.amount : -net_.amount;
        int256 after_ = owes + int256(amount);
        uint256 setOff = owes < 0 ? (after_ < 0 ? amount : uint256(-owes)) : 0;
        if (setOff < amount) _addDebt(debtorId, amount - setOff, creditorId, uint256(after_), exposureCap);
        // forge-lint: disable-end(unsafe-typecast)

        net_.amount = low ? after_ : -after_;
        if (setOff > 0) {
            // forge-lint: disable-next-line(unsafe-typecast)
            _books[creditorId].owed -= uint120(setOff);
            // forge-lint: disable-next-line(unsafe-typecast)
            emit ObligationReduced(creditorId, debtorId, exchangeId, setOff, after_ < 0 ? uint256(-after_) : 0);
        }
        if (setOff < amount) {
            // forge-lint: disable-next-line(unsafe-typecast)
            emit ObligationBooked(debtorId, creditorId, exchangeId, amount - setOff, uint256(after_));
        }
    }

    /// @dev What is netted and not settled counts as owed to each creditor: a netting does not make room for new debt.
    function _addDebt(uint256 debtorId, uint256 amount, uint256 creditorId, uint256 outstanding, uint256 exposureCap)
        private
    {
        Books storage books = _books[debtorId];
        uint256 exposure = outstanding;
        if (books.unsettled && exposureCap != type(uint256).max) exposure += _due[debtorId];
        if (exposure > exposureCap) revert ExposureExceeded(debtorId, creditorId, exposure, exposureCap);
        uint256 owed = books.owed + amount;
        if (owed > books.collateral) revert CollateralExceeded(debtorId, owed, books.collateral);

        // At most the collateral, which has 120 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        books.owed = uint120(owed);
    }

    /// @dev What `debtorId` owes `creditorId`; less than 0: the other way.
    function _owes(uint256 debtorId, uint256 creditorId) private view returns (int256) {
        (Net storage net_, bool low) = _netOf(debtorId, creditorId);
        return low ? net_.amount : -net_.amount;
    }

    function _keep(uint256 debtorId, uint256 creditorId, int256 owes) private {
        (Net storage net_, bool low) = _netOf(debtorId, creditorId);
        net_.amount = low ? owes : -owes;
    }

    /// @dev The pair's number where it lies, and whether the debtor has the smaller id.
    function _netOf(uint256 debtorId, uint256 creditorId) private view returns (Net storage net_, bool low) {
        low = debtorId < creditorId;
        mapping(uint256 => int256) storage row = _net[low ? debtorId : creditorId];
        uint256 highId = low ? creditorId : debtorId;
        assembly ("memory-safe") {
            mstore(0, highId)
            mstore(0x20, row.slot)
            net_.slot := keccak256(0, 0x40)
        }
    }

    /// @dev Takes `amount` of a brand's collateral that covers nothing.
    function _debit(uint256 brandId, uint256 amount) private {
        Books storage books = _books[brandId];
        uint256 required = books.owed + amount;
        if (required > books.collateral) revert CollateralExceeded(brandId, required, books.collateral);

        // Not above the collateral, which has 120 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        books.collateral -= uint120(amount);
        collateralTotal -= amount;
    }

    /// @dev Pays `amount`, or of a shortfall its share. What leaves the house counts: some tokens take a fee on top.
    /// @param total The collateral of all before it. @return paid What was asked of the token. @return fee What left above it.
    function _payOut(address to, uint256 amount, uint256 total) private returns (uint256 paid, uint256 fee) {
        uint256 before = TOKEN.balanceOf(address(this));
        paid = before < total ? amount * before / total : amount;
        if (paid > 0) TOKEN.safeTransfer(to, paid);
        uint256 left = before - TOKEN.balanceOf(address(this));
        if (left < paid) revert SettlementTokenUnfit(address(TOKEN), "transfer");
        fee = left - paid;
    }

    /// @dev Clears what brand `i` owes the others, and keeps its position's debt as due. It is at most what the brand
    /// owed them, so its collateral carries it.
    function _closePosition(uint256[] calldata brandIds, uint256 i, int256 position) private {
        uint256 brandId = brandIds[i];
        uint256 gross = _clearRow(brandIds, i);
        // A position is at most the gross it comes from: far below 2^255.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint256 debt = position < 0 ? uint256(-position) : 0;
        if (gross == 0 && debt == 0) return;

        Books memory books = _books[brandId];
        uint256 owed = books.owed - gross + debt;
        if (debt > 0) {
            _due[brandId] += debt;
            books.unsettled = true;
        }
        // Netting never makes a brand owe more: debt is at most gross.
        // forge-lint: disable-next-line(unsafe-typecast)
        books.owed = uint120(owed);
        _books[brandId] = books;
    }

    /// @dev Forgets what brand `i` owes the others of the list. @return gross Its sum.
    function _clearRow(uint256[] calldata brandIds, uint256 i) private returns (uint256 gross) {
        for (uint256 j = 0; j < brandIds.length; ++j) {
            if (i == j) continue;
            int256 owes = _owes(brandIds[i], brandIds[j]);
            if (owes <= 0) continue;
            // Above 0.
            // forge-lint: disable-next-line(unsafe-typecast)
            gross += uint256(owes);
            _keep(brandIds[i], brandIds[j], 0);
        }
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
            uint256 due = _due[brandId] - paid;
            _due[brandId] = due;
            books.unsettled = due > 0;
        } else {
            books.collateral += uint120(uint256(position));
        }
        // forge-lint: disable-end(unsafe-typecast)
        _books[brandId] = books;

        emit PositionSettled(period, brandId, position, books.collateral);
    }

    /// @dev Pays the claims of `creditorIds` whole: a brand's collateral carries all that it owes.
    function _payClaims(uint256 brandId, uint256[] calldata creditorIds) private returns (uint256 paid) {
        for (uint256 i = 0; i < creditorIds.length; ++i) {
            uint256 creditorId = creditorIds[i];
            // Nobody owes itself.
            uint256 claim = creditorId == brandId ? 0 : obligationOf(brandId, creditorId);
            if (claim == 0) continue;
            paid += claim;
            _keep(brandId, creditorId, 0);
            Books storage creditor = _books[creditorId];
            // At most what the brand owes, and that is at most its collateral.
            // forge-lint: disable-next-line(unsafe-typecast)
            creditor.collateral += uint120(claim);

            emit ClaimPaid(brandId, creditorId, claim, claim, creditor.collateral);
        }
        if (paid == 0) return 0;
        Books storage books = _books[brandId];
        // forge-lint: disable-start(unsafe-typecast)
        books.collateral -= uint120(paid);
        books.owed -= uint120(paid);
        // forge-lint: disable-end(unsafe-typecast)
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
