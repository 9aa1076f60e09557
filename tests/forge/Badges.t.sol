// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Badges} from "../../contracts/Badges.sol";
import {IBadges} from "../../contracts/interfaces/IBadges.sol";
import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
import {IPartnerRegistry} from "../../contracts/interfaces/IPartnerRegistry.sol";
import {Roles} from "../../contracts/libraries/Roles.sol";
import {World} from "./support/World.sol";

/// @title Badges: published, given by whom the definition says, at most so many, once each, to stay.
contract BadgesTest is World {
    Badges private badges;
    uint256 private mission;
    uint256 private gold;
    address private ann;
    address private bob;

    function setUp() public {
        build();
        badges = new Badges(address(manager), address(registry));
        (ann, bob) = (members[0], members[1]);
        mission = _publish(CAFE, _definition(IBadges.Kind.Mission));
        gold = _publish(CAFE, _definition(IBadges.Kind.Tier));
    }

    /* NEGATIVE SPACE */

    /// @notice SPEC 17.2: only the owner publishes, and only within the bounds.
    function test_only_the_owner_publishes_within_bounds() public {
        IBadges.Definition memory definition = _definition(IBadges.Kind.Mission);
        address[3] memory callers = [MALLORY, issuer(CAFE), owner(BOOKS)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, callers[i], Roles.id(CAFE, Roles.OWNER))
            );
            badges.publish(CAFE, definition);
        }
        vm.expectRevert(abi.encodeWithSelector(IPartnerRegistry.BrandUnknown.selector, 99));
        badges.publish(99, definition);
        definition.giver = 0;
        _refused(definition, "giver");
        definition.giver = Roles.TREASURER;
        _refused(definition, "giver");
        definition = _definition(IBadges.Kind.Mission);
        definition.level = 1;
        _refused(definition, "level");
        definition = _definition(IBadges.Kind.Tier);
        definition.level = 0;
        _refused(definition, "level");
        definition.level = 256;
        _refused(definition, "level");
        definition = _definition(IBadges.Kind.Tier);
        definition.validSeconds = 0;
        _refused(definition, "validSeconds");
        definition.validSeconds = uint256(type(uint40).max) - definition.end + 1;
        _refused(definition, "validSeconds");
        definition = _definition(IBadges.Kind.Mission);
        definition.limit = 0;
        _refused(definition, "limit");
        definition.limit = uint256(type(uint40).max) + 1;
        _refused(definition, "limit");
        definition = _definition(IBadges.Kind.Mission);
        definition.end = block.timestamp;
        _refused(definition, "end");
        definition.end = uint256(type(uint40).max) + 1;
        _refused(definition, "end");
        definition = _definition(IBadges.Kind.Mission);
        definition.metadataHash = 0;
        _refused(definition, "metadataHash");
    }

    /// @notice SPEC 17.3: only who has the role that the definition names gives and takes back.
    function test_nobody_gives_without_the_definitions_role() public {
        address[5] memory callers = [MALLORY, till(CAFE), owner(CAFE), issuer(BOOKS), ann];
        IBadges.Gift[] memory gifts = new IBadges.Gift[](1);
        gifts[0] = IBadges.Gift(1, ann);
        for (uint256 i = 0; i < callers.length; ++i) {
            bytes memory refused =
                abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, callers[i], Roles.id(CAFE, Roles.ISSUER));
            vm.startPrank(callers[i]);
            vm.expectRevert(refused);
            badges.give(CAFE, mission, gifts[0]);
            vm.expectRevert(refused);
            badges.giveBatch(CAFE, mission, gifts);
            vm.expectRevert(refused);
            badges.withdraw(CAFE, mission, gifts[0]);
            vm.stopPrank();
        }
        IBadges.Definition memory definition = _definition(IBadges.Kind.Achievement);
        definition.giver = Roles.TILL;
        uint256 stamp = _publish(CAFE, definition);
        vm.prank(till(CAFE));
        badges.give(CAFE, stamp, gifts[0]);
        vm.assertEq(badges.balanceOf(ann), 1, "a till gives what tills may give");
    }

    /// @notice SPEC 17.4: a badge of no definition, of a brand that may not issue, or after the end, is not given.
    function test_what_is_not_defined_stopped_or_over_is_not_given() public {
        vm.startPrank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IBadges.DefinitionUnknown.selector, CAFE, 3));
        badges.give(CAFE, 3, IBadges.Gift(1, ann));
        vm.expectRevert(abi.encodeWithSelector(IBadges.DefinitionUnknown.selector, CAFE, 0));
        badges.give(CAFE, 0, IBadges.Gift(1, ann));
        vm.expectRevert(abi.encodeWithSelector(IBadges.DefinitionUnknown.selector, BOOKS, mission));
        badges.give(BOOKS, mission, IBadges.Gift(1, ann));
        vm.stopPrank();
        vm.prank(guardian(CAFE));
        registry.stop(CAFE);
        vm.prank(issuer(CAFE));
        vm.expectPartialRevert(IPartnerRegistry.BrandNotIssuing.selector);
        badges.give(CAFE, mission, IBadges.Gift(1, ann));
        vm.prank(owner(CAFE));
        registry.resume(CAFE);
        (IBadges.Definition memory definition,) = badges.definitionOf(CAFE, mission);
        vm.warp(definition.end - 1);
        _give(CAFE, mission, 1, ann);
        vm.warp(definition.end);
        vm.startPrank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IBadges.GivingOver.selector, definition.end, definition.end));
        badges.give(CAFE, mission, IBadges.Gift(2, bob));
        badges.withdraw(CAFE, mission, IBadges.Gift(3, ann));
        vm.stopPrank();
        vm.assertEq(badges.balanceOf(ann), 0, "taken back all the same");
    }

    /// @notice SPEC 17.5: an operation id counts once for a brand, over giving, renewing and taking back.
    function test_an_operation_id_counts_once() public {
        _give(CAFE, mission, 300, ann);
        vm.startPrank(issuer(CAFE));
        bytes memory used = abi.encodeWithSelector(IBadges.OperationUsed.selector, CAFE, 300);
        vm.expectRevert(used);
        badges.give(CAFE, mission, IBadges.Gift(300, bob));
        vm.expectRevert(used);
        badges.give(CAFE, gold, IBadges.Gift(300, ann));
        vm.expectRevert(used);
        badges.withdraw(CAFE, mission, IBadges.Gift(300, ann));
        IBadges.Gift[] memory gifts = new IBadges.Gift[](4);
        gifts[0] = IBadges.Gift(300, bob);
        gifts[1] = IBadges.Gift(301, bob);
        gifts[2] = IBadges.Gift(301, members[2]);
        gifts[3] = IBadges.Gift(700, members[2]);
        vm.assertEq(badges.giveBatch(CAFE, mission, gifts), 2, "each id once");
        vm.stopPrank();
        vm.assertTrue(badges.isOperationUsed(CAFE, 700), "marked");
        vm.assertFalse(badges.isOperationUsed(BOOKS, 700), "of this brand only");
        vm.assertEq(badges.balanceOf(members[2]), 1, "the second of one id is refused alone");
    }

    /// @notice SPEC 17.6: never more than the limit, alone and in batches; one that was taken back counts, a renewal does not.
    function test_no_badge_is_given_beyond_its_number() public {
        IBadges.Definition memory definition = _definition(IBadges.Kind.Tier);
        definition.limit = 2;
        uint256 rare = _publish(CAFE, definition);
        _give(CAFE, rare, 1, ann);
        _give(CAFE, rare, 2, ann);
        IBadges.Gift[] memory gifts = new IBadges.Gift[](3);
        gifts[0] = IBadges.Gift(3, bob);
        gifts[1] = IBadges.Gift(4, members[2]);
        gifts[2] = IBadges.Gift(5, ann);
        vm.startPrank(issuer(CAFE));
        vm.assertEq(badges.giveBatch(CAFE, rare, gifts), 2, "the second badge and a renewal");
        vm.assertFalse(badges.isOperationUsed(CAFE, 4), "what was refused may be asked again");
        badges.withdraw(CAFE, rare, IBadges.Gift(6, ann));
        vm.expectRevert(abi.encodeWithSelector(IBadges.BadgesExhausted.selector, CAFE, rare, 2));
        badges.give(CAFE, rare, IBadges.Gift(7, ann));
        vm.stopPrank();
        (, uint256 given) = badges.definitionOf(CAFE, rare);
        vm.assertEq(given, 2, "two were given");
    }

    /// @notice SPEC 17.6: what is for ever is given once; nobody and the contract itself receive nothing.
    function test_who_has_it_for_ever_is_not_given_it_again() public {
        _give(CAFE, mission, 1, ann);
        vm.startPrank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IBadges.BadgeHeld.selector, CAFE, mission, ann));
        badges.give(CAFE, mission, IBadges.Gift(2, ann));
        vm.expectRevert(abi.encodeWithSelector(IBadges.MemberInvalid.selector, address(0)));
        badges.give(CAFE, mission, IBadges.Gift(2, address(0)));
        vm.expectRevert(abi.encodeWithSelector(IBadges.MemberInvalid.selector, address(badges)));
        badges.give(CAFE, mission, IBadges.Gift(2, address(badges)));
        vm.expectRevert(abi.encodeWithSelector(IBadges.BatchSizeWrong.selector, 0, 500));
        badges.giveBatch(CAFE, mission, new IBadges.Gift[](0));
        vm.expectRevert(abi.encodeWithSelector(IBadges.BatchSizeWrong.selector, 501, 500));
        badges.giveBatch(CAFE, mission, new IBadges.Gift[](501));
        vm.stopPrank();
    }

    /// @notice SPEC 17.8: only what the definition lets be taken back is, once, from whoever has it.
    function test_only_what_may_be_taken_back_is() public {
        IBadges.Definition memory definition = _definition(IBadges.Kind.Achievement);
        definition.withdrawable = false;
        uint256 medal = _publish(CAFE, definition);
        _give(CAFE, medal, 1, ann);
        _give(CAFE, mission, 2, ann);
        vm.startPrank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IBadges.BadgeNotWithdrawable.selector, CAFE, medal));
        badges.withdraw(CAFE, medal, IBadges.Gift(3, ann));
        badges.withdraw(CAFE, mission, IBadges.Gift(3, ann));
        bytes memory unknown = abi.encodeWithSelector(IBadges.BadgeUnknown.selector, CAFE, mission, ann);
        vm.expectRevert(unknown);
        badges.withdraw(CAFE, mission, IBadges.Gift(4, ann));
        badges.give(CAFE, mission, IBadges.Gift(5, ann));
        vm.stopPrank();
        vm.assertEq(badges.liveBadgesOf(CAFE, ann).length, 2, "given anew");
        vm.assertEq(badges.balanceOf(ann), 2, "two tokens");
    }

    /// @notice SPEC 17.7: nobody moves, lends or approves a badge: not the member, not the brand.
    function test_a_badge_never_moves() public {
        _give(CAFE, mission, 1, ann);
        uint256 tokenId = badges.tokenIdOf(CAFE, mission, ann);
        address[4] memory callers = [ann, owner(CAFE), issuer(CAFE), MALLORY];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            vm.expectRevert(IBadges.BadgeLocked.selector);
            badges.transferFrom(ann, bob, tokenId);
            vm.expectRevert(IBadges.BadgeLocked.selector);
            badges.safeTransferFrom(ann, bob, tokenId);
            vm.expectRevert(IBadges.BadgeLocked.selector);
            badges.safeTransferFrom(ann, bob, tokenId, "x");
            vm.expectRevert(IBadges.BadgeLocked.selector);
            badges.approve(bob, tokenId);
            vm.expectRevert(IBadges.BadgeLocked.selector);
            badges.setApprovalForAll(bob, true);
            vm.stopPrank();
        }
        vm.assertEq(badges.ownerOf(tokenId), ann, "hers");
        vm.assertTrue(badges.locked(tokenId), "locked");
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, tokenId + 1));
        badges.locked(tokenId + 1);
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, tokenId + 1));
        badges.tokenURI(tokenId + 1);
    }

    /// @notice SPEC 17.7: the standards that it says it keeps; metadata by the hash of the public text.
    function test_it_says_what_it_is() public {
        _give(CAFE, gold, 1, ann);
        bytes4[4] memory kept = [
            bytes4(0xb45a3c0e),
            type(IERC721).interfaceId,
            type(IERC721Metadata).interfaceId,
            type(IERC165).interfaceId
        ];
        for (uint256 i = 0; i < kept.length; ++i) {
            vm.assertTrue(badges.supportsInterface(kept[i]), "told by ERC-165");
        }
        vm.assertFalse(badges.supportsInterface(0xffffffff), "and nothing else");
        string memory uri = badges.tokenURI(badges.tokenIdOf(CAFE, gold, ann));
        string memory expected = string.concat("urn:keccak256:", vm.toString(keccak256("public text")));
        vm.assertEq(keccak256(bytes(uri)), keccak256(bytes(expected)), "the hash of the public text");
    }

    /* WHAT IS LIVE */

    /// @notice SPEC 17.9: one call tells a member's live badges of a brand, with level and validity; what has ended is not live, and is renewed.
    function test_live_badges_of_a_member() public {
        vm.assertEq(badges.liveBadgesOf(CAFE, ann).length, 0, "none yet");
        _give(CAFE, mission, 1, ann);
        _give(CAFE, gold, 2, ann);
        _give(CAFE, gold, 3, bob);
        uint256 until = block.timestamp + 30 days;
        IBadges.Badge[] memory live = badges.liveBadgesOf(CAFE, ann);
        vm.assertEq(live.length, 2, "both");
        vm.assertEq(live[0].definitionId, mission, "by definition");
        vm.assertEq(live[0].validUntil, type(uint256).max, "for ever");
        vm.assertEq(live[1].level, 3, "gold");
        vm.assertEq(live[1].givenAt, block.timestamp, "now");
        vm.assertEq(live[1].validUntil, until, "thirty days");
        vm.assertEq(live[1].metadataHash, keccak256("public text"), "what it is");
        vm.warp(until - 1);
        vm.assertEq(badges.liveBadgesOf(CAFE, ann).length, 2, "to the last second");
        vm.warp(until);
        vm.assertEq(badges.liveBadgesOf(CAFE, ann).length, 1, "the tier has ended");
        vm.assertEq(badges.liveBadgesOf(CAFE, bob).length, 0, "for him too");
        _give(CAFE, gold, 4, ann);
        vm.assertEq(badges.liveBadgesOf(CAFE, ann)[1].validUntil, until + 30 days, "renewed");
        vm.assertEq(badges.balanceOf(ann), 2, "the same token");
        vm.assertEq(badges.liveBadgesOf(BOOKS, ann).length, 0, "of this brand only");
    }

    /// @notice SPEC 17.2, 17.9: a brand has at most 1,024 definitions, and the last is told like the first.
    function test_the_last_definition_is_told_like_the_first() public {
        while (badges.definitionCount(CAFE) < 1_024) {
            _publish(CAFE, _definition(IBadges.Kind.Mission));
        }
        vm.prank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IBadges.DefinitionsExhausted.selector, 1_024));
        badges.publish(CAFE, _definition(IBadges.Kind.Mission));
        uint256[4] memory some = [uint256(1_024), 257, 256, 1];
        for (uint256 i = 0; i < 4; ++i) {
            _give(CAFE, some[i], i, ann);
        }
        IBadges.Badge[] memory live = badges.liveBadgesOf(CAFE, ann);
        vm.assertEq(live.length, 4, "all four");
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(live[i].definitionId, some[3 - i], "in order");
            vm.assertEq(live[i].tokenId, badges.tokenIdOf(CAFE, some[3 - i], ann), "its token");
        }
    }

    /// @notice SPEC 17.6, 17.9: over random acts, given is what the events say, never above the limit, and live badges are those given, valid and not taken back.
    function testFuzz_given_and_live_are_what_was_done(uint256 seed) public {
        IBadges.Definition memory definition = _definition(IBadges.Kind.Tier);
        definition.limit = 3;
        uint256 rare = _publish(CAFE, definition);
        uint256[4] memory until;
        bool[4] memory has;
        uint256 given = 0;
        for (uint256 i = 0; i < 24; ++i) {
            uint256 roll = uint256(keccak256(abi.encode(seed, i)));
            uint256 who = (roll >> 8) % 4;
            vm.warp(block.timestamp + (roll >> 16) % 9 days);
            vm.prank(issuer(CAFE));
            if (roll % 4 == 0) {
                (bool done,) = address(badges).call(
                    abi.encodeCall(badges.withdraw, (CAFE, rare, IBadges.Gift(1_000 + i, members[who])))
                );
                vm.assertTrue(done == has[who], "taken back from whoever has it");
                has[who] = false;
            } else {
                (bool done,) = address(badges).call(
                    abi.encodeCall(badges.give, (CAFE, rare, IBadges.Gift(2_000 + i, members[who])))
                );
                vm.assertTrue(done == (has[who] || given < 3), "given within the limit, or renewed");
                if (done) {
                    if (!has[who]) ++given;
                    (has[who], until[who]) = (true, block.timestamp + 30 days);
                }
            }
            (, uint256 told) = badges.definitionOf(CAFE, rare);
            vm.assertEq(told, given, "what was given");
            for (uint256 k = 0; k < 4; ++k) {
                bool live = badges.liveBadgesOf(CAFE, members[k]).length == 1;
                vm.assertTrue(live == (has[k] && block.timestamp < until[k]), "live");
                vm.assertEq(badges.balanceOf(members[k]), has[k] ? 1 : 0, "one token");
            }
        }
    }

    /* SHORTHANDS */

    function _definition(IBadges.Kind kind) private view returns (IBadges.Definition memory definition) {
        definition.kind = kind;
        definition.giver = Roles.ISSUER;
        definition.withdrawable = true;
        definition.limit = 1_000;
        definition.end = block.timestamp + 365 days;
        definition.metadataHash = keccak256("public text");
        if (kind != IBadges.Kind.Tier) return definition;
        definition.level = 3;
        definition.validSeconds = 30 days;
    }

    function _publish(uint256 brandId, IBadges.Definition memory definition) private returns (uint256) {
        vm.prank(owner(brandId));
        return badges.publish(brandId, definition);
    }

    function _refused(IBadges.Definition memory definition, string memory field) private {
        vm.startPrank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IBadges.DefinitionInvalid.selector, field));
        badges.publish(CAFE, definition);
        vm.stopPrank();
    }

    function _give(uint256 brandId, uint256 definitionId, uint256 operationId, address member) private {
        vm.prank(issuer(brandId));
        badges.give(brandId, definitionId, IBadges.Gift(operationId, member));
    }
}
