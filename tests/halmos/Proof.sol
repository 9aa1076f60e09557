// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title The cheat codes that the proofs use.
interface ProofVm {
    function assume(bool condition) external pure;
    function warp(uint256 timestamp) external;
    function prank(address sender) external;
    function store(address target, bytes32 slot, bytes32 value) external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function etch(address target, bytes calldata code) external;
}

/// @title halmos' own cheat codes.
interface SymbolicVm {
    function createUint256(string memory name) external pure returns (uint256);
    function createUint(uint256 bits, string memory name) external pure returns (uint256);
    function createAddress(string memory name) external pure returns (address);
    function createBytes32(string memory name) external pure returns (bytes32);
    function createBytes(uint256 size, string memory name) external pure returns (bytes memory);
    function createBytes4(string memory name) external pure returns (bytes4);
    function createCalldata(string memory contractName) external pure returns (bytes memory);
    function enableSymbolicStorage(address target) external;
}

/// @title Base of the symbolic proofs: `check_…` holds for all arguments, or halmos shows some for which it does not.
abstract contract Proof {
    ProofVm internal constant vm = ProofVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    SymbolicVm internal constant svm = SymbolicVm(address(uint160(uint256(keccak256("svm cheat code")))));

    // forge-lint: disable-next-line(mixed-case-function)
    function IS_TEST() external pure returns (bool) {
        return true;
    }
}
