// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ERC-5192: minimal soulbound NFTs. Interface id 0xb45a3c0e.
interface IERC5192 {
    /// @notice The token cannot be transferred.
    event Locked(uint256 tokenId);
    /// @notice The token can be transferred. Never emitted here.
    event Unlocked(uint256 tokenId);

    /// @notice True while the token cannot be transferred: always. Reverts for a token that nobody has.
    function locked(uint256 tokenId) external view returns (bool);
}
