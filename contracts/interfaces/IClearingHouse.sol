// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBrandAccess} from "./IBrandAccess.sol";

/// @title What brands owe each other from exchanges, the collateral behind it, and its netting.
/// @notice All amounts are base units of one ERC-20, the settlement token, which is checked when the house is made
/// (SettlementTokens tells which are fit). Two brands owe each other one net amount: what is booked one way is set
/// off against what is owed the other way. A brand's collateral covers all that it owes whenever a debt is booked or
/// collateral withdrawn, so settlement can always be paid. What is credited is what arrived, what is debited is what
/// left; a shortfall of the token is shared pro rata by those who withdraw, a surplus goes to `reserve`.
/// So a brand in default pays every claim whole, in as many steps as its creditors need; a claim stays until it is paid.
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
    /// @notice `debtorId` owes `creditorId` less by `amount` (set off, or unwinding); `outstanding` after it.
    event ObligationReduced(
        uint256 indexed debtorId, uint256 indexed creditorId, bytes32 indexed exchangeId, uint256 amount, uint256 outstanding
    );
    /// @notice A period was netted over `brandIds`; every obligation among them is 0 now. positions[i] > 0: receives.
    event PeriodNetted(uint256 indexed period, uint256[] brandIds, int256[] positions, uint256 grossTotal);
    /// @notice A netted period was paid from collateral.
    event PeriodSettled(uint256 indexed period, uint256 paidTotal);
    /// @notice One brand's payment (negative) or receipt (positive) in a settlement.
    event PositionSettled(uint256 indexed period, uint256 indexed brandId, int256 position, uint256 collateral);
    /// @notice A brand was declared in default: `claims` against it, `paid` of them in this first step.
    event BrandDefaulted(uint256 indexed brandId, uint256 claims, uint256 paid);
    /// @notice One creditor's claim in a default, paid whole from the brand's collateral. `collateral`: the creditor's.
    event ClaimPaid(uint256 indexed brandId, uint256 indexed creditorId, uint256 claim, uint256 paid, uint256 collateral);
    /// @notice A further step paid `paid` of the claims; `owed` stays.
    event ClaimsPaid(uint256 indexed brandId, uint256 paid, uint256 owed);
    event DefaultCured(uint256 indexed brandId);
    /// @notice The house holds less of the settlement token than all collateral: of `amount` withdrawn `paid` was there.
    event ShortfallShared(uint256 indexed brandId, uint256 amount, uint256 paid);
    /// @notice What the house held above all collateral went to the reserve.
    event SurplusSkimmed(address indexed to, uint256 amount);

    error ExchangeContractOnly(address caller);
    error AmountMissing();
    /// @notice The obligation in this direction would exceed the agreement's exposure cap.
    error ExposureExceeded(uint256 debtorId, uint256 creditorId, uint256 outstanding, uint256 exposureCap);
    /// @notice The brand's collateral would not cover `required`.
    error CollateralExceeded(uint256 brandId, uint256 required, uint256 collateral);
    error BrandInDefault(uint256 brandId);
    /// @notice Cover below the whole is refused.
    error CoverWrong(uint256 coverBps, uint256 expected);
    /// @notice The reserve that a surplus goes to is address 0.
    error ReserveMissing();
    /// @notice The token cannot settle debts: what of it is amiss.
    error SettlementTokenUnfit(address token, string reason);
    /// @notice A switch is thrown: collateral stays where it is.
    error WithdrawalFrozen(uint256 brandId);
    /// @notice Collateral returns to the brand's treasury and nowhere else.
    error TreasuryOther(address to, address treasury);
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
    /// @notice A netted debt of the brand waits for settlement first.
    error SettlementPending(uint256 brandId, uint256 due);

    /* READING */

    function settlementToken() external view returns (address);
    /// @notice Share of a brand's debts that collateral must cover, in 1/100 of a percent: 10,000, all of them.
    function coverBps() external view returns (uint256);
    /// @notice Where a surplus of the settlement token goes.
    function reserve() external view returns (address);
    /// @notice Collateral of all brands together.
    function collateralTotal() external view returns (uint256);
    /// @notice By how much the house holds less of the settlement token than all collateral.
    function shortfall() external view returns (uint256);
    function accountOf(uint256 brandId) external view returns (Account memory);
    /// @notice What `debtorId` owes `creditorId`, not yet netted; of two brands at most one owes the other.
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
    /// @notice Pays collateral that covers nothing to the brand's treasury, which `to` names. Treasurer role. Not in
    /// default, and not while a switch of the brand or the programme is thrown. A token's fee on top is the brand's;
    /// of a shortfall it bears its share.
    function withdraw(uint256 brandId, uint256 amount, address to) external;
    /// @notice Sends what the house holds above all collateral to `reserve`. Anyone may.
    function skim() external returns (uint256 amount);

    /* PARTNER EXCHANGE */

    /// @notice Sets a debt off against what the creditor owes the debtor and books the rest, or reverts: default,
    /// exposure (netted debts that wait for settlement count), collateral. PartnerExchange only.
    function book(uint256 debtorId, uint256 creditorId, uint256 amount, uint256 exposureCap, bytes32 exchangeId) external;
    /// @notice Takes a booked debt back; what is netted or paid already becomes a debt the other way. PartnerExchange only.
    function unbook(uint256 debtorId, uint256 creditorId, uint256 amount, bytes32 exchangeId) external;

    /* NETTING */

    /// @notice Cancels all obligations among 2 .. 64 brands into one position each; their sum is 0. Operator only.
    /// @dev A brand's position is at most what it owed the others, which its collateral covers: `settle` never fails.
    function net(uint256 period, uint256[] calldata brandIds) external returns (int256[] memory positions);
    /// @notice Pays a netted period from collateral, once. Anyone may.
    function settle(uint256 period, uint256[] calldata brandIds, int256[] calldata positions) external;
    /// @notice Declares a default: exchange with the brand stops, and the claims of `creditorIds` are paid from its
    /// collateral, which carries all of them. Operator only.
    /// @param creditorIds Any to whom the brand owes (0 .. 64), ascending; the others' claims stay for a further step.
    function declareDefault(uint256 brandId, uint256[] calldata creditorIds) external;
    /// @notice A further step: pays more creditors of a brand in default. Reverts with AmountMissing when there is nothing
    /// to pay. Operator only.
    function payClaims(uint256 brandId, uint256[] calldata creditorIds) external;
    /// @notice Ends a default; a claim that was not paid stays owed. Operator only.
    function cureDefault(uint256 brandId) external;
}
