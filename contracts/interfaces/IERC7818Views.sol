// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title The view functions of ERC-7818 (expirable ERC-20), and nothing else of it.
/// @notice An epoch names the points that end with those minted in it: epoch e is the lot of expiry epoch
/// e + validityDuration. Not all of ERC-7818: transferAtEpoch and transferFromAtEpoch are missing, because points move
/// oldest first, so there is no ERC-165 id for it. contracts/README.md says what a wallet may conclude.
interface IERC7818Views {
    /// @notice How an epoch is measured; here always TIME_BASED, in seconds.
    enum EPOCH_TYPE {
        BLOCKS_BASED,
        TIME_BASED
    }

    /// @notice The epoch of `block.timestamp`; always 0 for points that never expire.
    function currentEpoch() external view returns (uint256);
    /// @notice The seconds of an epoch; type(uint256).max for points that never expire, whose epoch 0 does not end.
    function epochLength() external view returns (uint256);
    /// @notice TIME_BASED.
    function epochType() external view returns (EPOCH_TYPE);
    /// @notice In how many epochs points minted in an epoch are valid, that epoch included.
    function validityDuration() external view returns (uint256);
    /// @notice Whether points minted in `epoch` have ended: validityDuration epochs or more have begun since.
    function isEpochExpired(uint256 epoch) external view returns (bool);
    /// @notice Points of `account` that end with those minted in `epoch`; 0 once it has expired.
    function balanceOfAtEpoch(uint256 epoch, address account) external view returns (uint256);
}
