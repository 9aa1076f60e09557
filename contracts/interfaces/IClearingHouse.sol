// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBrandAccess} from "./IBrandAccess.sol";

/// @title What brands owe each other from exchanges, the collateral behind it, and its netting.
/// @notice All amounts are base units of one ERC-20, the settlement token. A brand's collateral covers what it
/// owes: owed * coverBps / 10,000, rounded up, is at most its collateral whenever a debt is booked or collateral
/// withdrawn; a netted debt is covered whole. So settlement can always be paid, and only a default before
/// netting can leave a creditor short.
interface IClearingHouse is IBrandAccess {
    /// @notice A brand's account.
    /// @param collateral Deposited and received, not yet withdrawn.
    /// @param owed All that it owes, netted debts included. @param due Of these, netted and not yet settled.
    struct Account {
        uint256 collateral;
        uint256 owed;
        uint256 due;
        bool inDefault;
    }

    event CollateralDeposited(uint256 indexed brandId, address indexed from, uint256 amount, uint256 collateral);
    event CollateralWithdrawn(uint256 indexed brandId, address indexed to, uint256 amount, uint256 collateral);
    /// @notice `debtorId` owes `creditorId` more by `amount`; `outstanding` after it in this direction.
    event ObligationBooked(
        uint256 indexed debtorId, uint256 indexed creditorId, bytes32 indexed exchangeId, uint256 amount, uint256 outstanding
    );
    /// @notice `debtorId` owes `creditorId` less by `amount` (unwinding, or set off in a default); `outstanding` after it.
    event ObligationReduced(
        uint256 indexed debtorId, uint256 indexed creditorId, bytes32 indexed exchangeId, uint256 amount, uint256 outstanding
    );
    /// @notice A period was netted over `brandIds`; every obligation among them is 0 now. positions[i] > 0: receives.
    event PeriodNetted(uint256 indexed period, uint256[] brandIds, int256[] positions, uint256 grossTotal);
    /// @notice A netted period was paid from collateral.
    event PeriodSettled(uint256 indexed period, uint256 paidTotal);
    /// @notice One brand's payment (negative) or receipt (positive) in a settlement.
    event PositionSettled(uint256 indexed period, uint256 indexed brandId, int256 position, uint256 collateral);
    /// @notice A brand was declared in default: `claims` against it, `paid` of them from its collateral.
    event BrandDefaulted(uint256 indexed brandId, uint256 claims, uint256 paid);
    /// @notice One creditor's claim in a default, and what it received.
    event ClaimPaid(uint256 indexed brandId, uint256 indexed creditorId, uint256 claim, uint256 paid, uint256 collateral);
    event DefaultCured(uint256 indexed brandId);

    error ExchangeContractOnly(address caller);
    error AmountMissing();
    /// @notice The obligation in this direction would exceed the agreement's exposure cap.
    error ExposureExceeded(uint256 debtorId, uint256 creditorId, uint256 outstanding, uint256 exposureCap);
    /// @notice The brand's collateral would not cover `required`.
    error CollateralExceeded(uint256 brandId, uint256 required, uint256 collateral);
    error BrandInDefault(uint256 brandId);
    error BrandNotInDefault(uint256 brandId);
    error AmountTooLarge(uint256 amount, uint256 maximum);
    /// @notice Periods are netted one after the other; `expected` is the next.
    error PeriodWrong(uint256 period, uint256 expected);
    /// @notice 2 .. `maximum` brands, ascending and without repetition.
    error BrandListWrong(uint256 brands, uint256 maximum);
    error BrandListUnsorted(uint256 previous, uint256 next);
    /// @notice These are not the brands and positions of that period, or it is settled.
    error StatementUnknown(uint256 period);
    error PositionsUnbalanced(int256 sum);
    /// @notice The counterparties given do not account for all that the brand owes.
    error CreditorsIncomplete(uint256 claims, uint256 owed);
    /// @notice A netted debt of the brand waits for settlement first.
    error SettlementPending(uint256 brandId, uint256 due);

    /* READING */

    function settlementToken() external view returns (address);
    /// @notice Share of a brand's debts that collateral must cover, in 1/100 of a percent; fixed at deployment.
    function coverBps() external view returns (uint256);
    function accountOf(uint256 brandId) external view returns (Account memory);
    /// @notice What `debtorId` owes `creditorId`, not yet netted.
    function obligationOf(uint256 debtorId, uint256 creditorId) external view returns (uint256);
    /// @notice The period that the next `net` closes; the first is 1.
    function nextPeriod() external view returns (uint256);
    /// @notice keccak256(abi.encode(period, brandIds, positions)) while it waits for settlement, else 0.
    function statementOf(uint256 period) external view returns (bytes32);
    /// @notice Positions that `net` would give now: the same code.
    function positionsOf(uint256[] calldata brandIds) external view returns (int256[] memory positions, uint256 grossTotal);

    /* COLLATERAL */

    /// @notice Takes `amount` of the settlement token from the caller for a brand. Anyone may.
    function deposit(uint256 brandId, uint256 amount) external;
    /// @notice Pays collateral that covers nothing to the brand's treasury. Treasurer role. Not in default.
    function withdraw(uint256 brandId, uint256 amount) external;

    /* PARTNER EXCHANGE */

    /// @notice Books a debt or reverts: default, exposure, collateral. PartnerExchange only.
    function book(uint256 debtorId, uint256 creditorId, uint256 amount, uint256 exposureCap, bytes32 exchangeId) external;
    /// @notice Takes a booked debt back; what is netted or paid already becomes a debt the other way. PartnerExchange only.
    function unbook(uint256 debtorId, uint256 creditorId, uint256 amount, bytes32 exchangeId) external;

    /* NETTING */

    /// @notice Cancels all obligations among 2 .. 32 brands into one position each; their sum is 0. Operator only.
    /// @dev Refused while a brand's collateral does not cover its position whole, so `settle` never fails.
    function net(uint256 period, uint256[] calldata brandIds) external returns (int256[] memory positions);
    /// @notice Pays a netted period from collateral, once. Anyone may.
    function settle(uint256 period, uint256[] calldata brandIds, int256[] calldata positions) external;
    /// @notice Declares a default: debts both ways with each of `creditorIds` are set off, what remains is paid from
    /// its collateral, pro rata; exchange with it stops. Operator only. Others' accounts are not touched otherwise.
    /// @param creditorIds All to whom the brand owes (1 .. 64), ascending.
    function declareDefault(uint256 brandId, uint256[] calldata creditorIds) external;
    /// @notice Ends a default. Operator only.
    function cureDefault(uint256 brandId) external;
}
