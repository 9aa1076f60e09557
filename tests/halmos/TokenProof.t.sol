// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LoyaltyToken} from "../../contracts/LoyaltyToken.sol";
import {Proof} from "./Proof.sol";

/// @title Proofs of the token: for any state of all accounts, any caller and any amounts.
/// @dev Storage is symbolic as a whole; only the brand's terms are given (open).
abstract contract TokenProof is Proof {
    address internal constant REGISTRY = address(0xA1);
    address internal constant RULES = address(0xA2);
    address internal constant DESK = address(0xA3);
    address internal constant EXCHANGE = address(0xA4);
    address internal constant OPENINGS = address(0xA5);
    /// @dev The published layout: terms at slot 6, from bit 0 up origin 48, epochSeconds 32, lifetimeEpochs 8, grace 32, policy 8, brandId 32.
    bytes32 private constant TERMS_SLOT = bytes32(uint256(6));

    LoyaltyToken internal token;

    function build(uint256 lifetimeEpochs) internal {
        token = new LoyaltyToken(address(this), REGISTRY, RULES, DESK, EXCHANGE, OPENINGS);
        svm.enableSymbolicStorage(address(token));
        uint256 terms = 1 | (3_600 << 48) | (lifetimeEpochs << 80) | (uint256(2) << 120) | (1 << 128);
        vm.store(address(token), TERMS_SLOT, bytes32(terms));
    }

    /// @dev A time in the first turn of the ring whose oldest group lies in word 0, 1, 2 or 3: with the arithmetic of
    /// lots left open (abstract/Lots.sol), where the ring begins is all that a time decides. So four stand for all.
    function turn(uint256 place) internal {
        vm.warp(1 + 3_600 * 5 * place);
    }

    function noThirdAccountInTransfer(address from, address to, address other, uint256 value) internal {
        vm.assume(other != from && other != to);
        uint256[4] memory before = token.packedLotsOf(other);
        uint256[4] memory supplyBefore = token.packedSupply();
        vm.prank(from);
        token.transfer(to, value);

        same(before, token.packedLotsOf(other));
        same(supplyBefore, token.packedSupply());
    }

    function noThirdAccountInBurn(address from, address other, uint256 value) internal {
        vm.assume(other != from);
        uint256[4] memory before = token.packedLotsOf(other);
        vm.prank(EXCHANGE);
        token.burn(from, value);

        same(before, token.packedLotsOf(other));
    }

    function same(uint256[4] memory a, uint256[4] memory b) internal pure {
        assert(a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3]);
    }
}

/// @title Points that never expire.
contract LastingTokenProof is TokenProof {
    function setUp() public {
        build(0);
    }

    function check_transfer_changes_no_third_account(address from, address to, address other, uint256 value) public {
        noThirdAccountInTransfer(from, to, other, value);
    }

    function check_burn_changes_no_third_account(address from, address other, uint256 value) public {
        noThirdAccountInBurn(from, other, value);
    }
}

/// @title Points that expire (a burn at one place of the ring: it walks the same words as a transfer): run with abstract/Lots.sol in place of the library.
contract ExpiringTokenProof is TokenProof {
    function setUp() public {
        build(15);
    }

    function check_transfer_changes_no_third_account_first(address from, address to, address other, uint256 value)
        public
    {
        turn(0);
        noThirdAccountInTransfer(from, to, other, value);
    }

    function check_transfer_changes_no_third_account_second(address from, address to, address other, uint256 value)
        public
    {
        turn(1);
        noThirdAccountInTransfer(from, to, other, value);
    }

    function check_burn_changes_no_third_account_second(address from, address other, uint256 value) public {
        turn(1);
        noThirdAccountInBurn(from, other, value);
    }

    function check_transfer_changes_no_third_account_third(address from, address to, address other, uint256 value)
        public
    {
        turn(2);
        noThirdAccountInTransfer(from, to, other, value);
    }

    function check_transfer_changes_no_third_account_fourth(address from, address to, address other, uint256 value)
        public
    {
        turn(3);
        noThirdAccountInTransfer(from, to, other, value);
    }
}
