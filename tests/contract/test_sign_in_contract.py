"""How people prove who they are: what the two doors of accounts promise, in this process and over HTTP alike."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

import msgspec
import pyotp
import pytest

from scriza.kernel.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    ScrizaError,
    Unauthenticated,
)
from scriza.kernel.principal import acting
from scriza.kernel.scopes import Scope
from scriza.ports.accounts import (
    Accounts,
    Credential,
    FactorCode,
    Invite,
    LogIn,
    NewKey,
    Page,
    PasswordChange,
    RefreshToken,
    Reset,
    ResetAsked,
    RoleChange,
    SecondFactor,
    SignIn,
    SignUp,
    Tokens,
)
from scriza_adapters.mongo.store import StoreOptions
from tests.accounts_rig import PASSWORD, AccountsRig, accounts_rig
from tests.contract.doors import Doors
from tests.waiting import eventually

ADA = "ada@team.example"


@pytest.fixture
async def rig(store_options: StoreOptions) -> AsyncIterator[AccountsRig]:
    async with accounts_rig(store_options) as rig:
        yield rig


@pytest.fixture
async def door(doors: Doors, rig: AccountsRig) -> AsyncIterator[SignIn]:
    async with doors(SignIn, rig.sign_in) as door:
        yield door


@pytest.fixture
async def accounts(doors: Doors, rig: AccountsRig) -> AsyncIterator[Accounts]:
    async with doors(Accounts, rig.accounts) as accounts:
        yield accounts


async def refused(doing: Awaitable[object]) -> ScrizaError:
    with pytest.raises(ScrizaError) as raised:
        await doing
    return raised.value


# ---- joining and logging in ----------------------------------------------------------------------------------------


async def test_who_is_invited_joins_and_logs_in(rig: AccountsRig, door: SignIn, accounts: Accounts) -> None:
    with acting(await rig.principal(await rig.joined(ADA))):
        invitation = await accounts.invite(Invite("Ben@Team.example", "manager"))
    assert rig.letters.token() == invitation.token
    joined = await door.sign_up(SignUp(invitation.token, "Ben", PASSWORD))
    assert (joined.expires_in, joined.token_type) == (600, "Bearer")
    again = (await door.log_in(LogIn("ben@team.EXAMPLE", PASSWORD))).tokens
    assert again
    identity = await accounts.identify(Credential(again.access_token))
    assert identity.known
    assert Scope.PLAYBOOKS_PUBLISH in identity.scopes
    assert Scope.USERS_WRITE not in identity.scopes


async def test_an_invitation_is_good_once_even_for_two_at_the_same_time(rig: AccountsRig, door: SignIn) -> None:
    with acting(await rig.principal(await rig.joined(ADA))):
        token = (await rig.accounts.invite(Invite("ben@team.example"))).token
    asked = [door.sign_up(SignUp(token, "Ben", PASSWORD)) for _ in range(4)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, Tokens) for answer in answers) == 1
    assert all(isinstance(answer, Tokens | Forbidden) for answer in answers)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("seven77", "password-too-short"),
        ("password123", "password-common"),
        ("iloveyou", "password-common"),
        ("ada@team.example", "password-known"),
        ("x" * 300, "password-too-long"),
    ],
)
async def test_a_password_that_will_not_do_is_refused_and_the_invitation_is_still_good(
    rig: AccountsRig, door: SignIn, password: str, reason: str
) -> None:
    await rig.joined("root@team.example")
    with acting(await rig.principal((await rig.sign_in.log_in(LogIn("root@team.example", PASSWORD))).tokens)):
        token = (await rig.accounts.invite(Invite(ADA))).token
    error = await refused(door.sign_up(SignUp(token, "Ada", password)))
    assert (type(error), error.reason) == (BadInput, reason)
    assert await door.sign_up(SignUp(token, "Ada", PASSWORD))


@pytest.mark.parametrize(
    "password", ["Ein Wort mit Umlaut äöü", "пароль из слов", "🐧🐧 and 🐋🐋", " leading space ", "x1" * 60]
)
async def test_any_characters_and_lengths_do_without_rules_of_composition(
    rig: AccountsRig, door: SignIn, password: str
) -> None:
    tokens = await rig.joined(ADA)
    with acting(await rig.principal(tokens)):
        await rig.accounts.change_password(PasswordChange(PASSWORD, password))
    assert (await door.log_in(LogIn(ADA, password))).tokens


async def test_a_stranger_cannot_tell_who_has_an_account(rig: AccountsRig, door: SignIn) -> None:
    await rig.joined(ADA)
    wrong = await refused(door.log_in(LogIn(ADA, "not it at all")))
    nobody = await refused(door.log_in(LogIn("nobody@team.example", "not it at all")))
    assert (type(wrong), wrong.detail) == (type(nobody), nobody.detail) == (Unauthenticated, nobody.detail)
    assert await door.ask_reset(ResetAsked(ADA)) == await door.ask_reset(ResetAsked("nobody@team.example"))


async def test_guessing_one_account_s_password_ends_before_any_hash(rig: AccountsRig, door: SignIn) -> None:
    await rig.joined(ADA)
    for _ in range(10):
        assert type(await refused(door.log_in(LogIn(ADA, "a guess or two")))) is Unauthenticated
    error = await refused(door.log_in(LogIn(ADA, PASSWORD)))
    assert (type(error), error.retry_after) == (RateLimited, 900)
    assert type(await refused(door.log_in(LogIn("ben@team.example", "a guess or two")))) is Unauthenticated


# ---- sessions ------------------------------------------------------------------------------------------------------


async def test_a_refresh_token_is_good_once_and_coming_again_ends_the_session(
    rig: AccountsRig, door: SignIn, accounts: Accounts
) -> None:
    first = await rig.joined(ADA)
    second = await door.refresh(RefreshToken(first.refresh_token))
    assert second.refresh_token != first.refresh_token
    error = await refused(door.refresh(RefreshToken(first.refresh_token)))
    assert (type(error), error.reason) == (Unauthenticated, "refresh-reused")
    assert type(await refused(door.refresh(RefreshToken(second.refresh_token)))) is Unauthenticated
    assert type(await refused(accounts.identify(Credential(second.access_token)))) is Unauthenticated


async def test_of_two_that_refresh_at_once_at_most_one_goes_on(rig: AccountsRig, door: SignIn) -> None:
    tokens = await rig.joined(ADA)
    asked = [door.refresh(RefreshToken(tokens.refresh_token)) for _ in range(5)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, Tokens) for answer in answers) <= 1
    assert all(isinstance(answer, Tokens | Unauthenticated) for answer in answers)


async def test_logging_out_ends_this_session_and_no_other(rig: AccountsRig, door: SignIn, accounts: Accounts) -> None:
    first = await rig.joined(ADA)
    second = (await door.log_in(LogIn(ADA, PASSWORD))).tokens
    assert second
    await door.log_out(RefreshToken(first.refresh_token))
    assert type(await refused(door.refresh(RefreshToken(first.refresh_token)))) is Unauthenticated
    assert type(await refused(accounts.identify(Credential(first.access_token)))) is Unauthenticated
    assert (await accounts.identify(Credential(second.access_token))).known


async def test_logging_out_everywhere_ends_all(rig: AccountsRig, door: SignIn, accounts: Accounts) -> None:
    sessions = [await rig.joined(ADA), (await door.log_in(LogIn(ADA, PASSWORD))).tokens]
    with acting(await rig.principal(sessions[0])):
        await accounts.log_out_everywhere()
    for tokens in sessions:
        assert tokens
        assert type(await refused(accounts.identify(Credential(tokens.access_token)))) is Unauthenticated
        assert type(await refused(door.refresh(RefreshToken(tokens.refresh_token)))) is Unauthenticated


async def test_access_ends_after_ten_minutes_and_a_session_after_its_longest_time(
    rig: AccountsRig, door: SignIn, accounts: Accounts
) -> None:
    tokens = await rig.joined(ADA)
    rig.clock.pass_(minutes=9, seconds=59)
    assert (await accounts.identify(Credential(tokens.access_token))).known
    rig.clock.pass_(seconds=1)
    error = await refused(accounts.identify(Credential(tokens.access_token)))
    assert (type(error), error.reason) == (Unauthenticated, "token-expired")
    for _ in range(8):
        rig.clock.pass_(days=12)
        try:
            tokens = await door.refresh(RefreshToken(tokens.refresh_token))
        except Unauthenticated:
            break
    else:
        pytest.fail("a session of 96 days")


@pytest.mark.parametrize(
    "token", ["", "x", "scz_refresh_a_b", "scz_key_0123_" + "0" * 64, "scz_refresh_0123_" + "0" * 64]
)
async def test_what_is_no_refresh_token_refreshes_nothing(rig: AccountsRig, door: SignIn, token: str) -> None:
    assert isinstance(await refused(door.refresh(RefreshToken(token))), Unauthenticated | BadInput)


# ---- a new password ------------------------------------------------------------------------------------------------


async def reset_token(rig: AccountsRig, door: SignIn) -> str:
    await door.ask_reset(ResetAsked("Ada@team.example"))
    await eventually(lambda: rig.letters.sent)
    return rig.letters.token()


async def test_a_forgotten_password_is_replaced_once_and_ends_all_sessions(
    rig: AccountsRig, door: SignIn, accounts: Accounts
) -> None:
    tokens = await rig.joined(ADA)
    token = await reset_token(rig, door)
    await door.reset(Reset(token, "an evening by the sea"))
    assert type(await refused(door.reset(Reset(token, "another one here")))) is Forbidden
    assert type(await refused(door.log_in(LogIn(ADA, PASSWORD)))) is Unauthenticated
    assert (await door.log_in(LogIn(ADA, "an evening by the sea"))).tokens
    assert type(await refused(accounts.identify(Credential(tokens.access_token)))) is Unauthenticated
    assert type(await refused(door.refresh(RefreshToken(tokens.refresh_token)))) is Unauthenticated
    assert rig.letters.sent[-1].subject == "Your password was changed"


async def test_a_reset_is_good_for_ten_minutes(rig: AccountsRig, door: SignIn) -> None:
    await rig.joined(ADA)
    token = await reset_token(rig, door)
    rig.clock.pass_(minutes=10)
    assert type(await refused(door.reset(Reset(token, "an evening by the sea")))) is Forbidden


async def test_a_weak_new_password_leaves_the_token_good(rig: AccountsRig, door: SignIn) -> None:
    await rig.joined(ADA)
    token = await reset_token(rig, door)
    assert type(await refused(door.reset(Reset(token, "password")))) is BadInput
    assert await door.reset(Reset(token, "an evening by the sea"))


async def test_nobody_is_flooded_with_letters(rig: AccountsRig, door: SignIn) -> None:
    await rig.joined(ADA)
    for _ in range(8):
        await door.ask_reset(ResetAsked(ADA))
    await eventually(lambda: len(rig.letters.sent) >= 3)
    assert len(rig.letters.sent) == 3


# ---- the second factor ---------------------------------------------------------------------------------------------


async def with_factor(rig: AccountsRig, accounts: Accounts) -> tuple[pyotp.TOTP, list[str]]:
    tokens = await rig.joined(ADA)
    with acting(await rig.principal(tokens)):
        secret = await accounts.begin_second_factor()
        totp = pyotp.TOTP(secret.secret)
        codes = await accounts.confirm_second_factor(FactorCode(totp.at(rig.clock())))
    rig.clock.pass_(seconds=30)
    assert "otpauth://totp/Scriza:ada%40team.example" in secret.uri
    return totp, codes.codes


async def challenge(door: SignIn) -> str:
    begun = await door.log_in(LogIn(ADA, PASSWORD))
    assert begun.tokens is None
    return begun.challenge


async def test_with_a_second_factor_the_password_alone_opens_nothing(
    rig: AccountsRig, door: SignIn, accounts: Accounts
) -> None:
    totp, _ = await with_factor(rig, accounts)
    begun = await challenge(door)
    for wrong in ("000000", "\u0661\u0662\u0663\u0664\u0665\u0666"):  # the second in digits that are not ASCII
        assert type(await refused(door.second_factor(SecondFactor(begun, wrong)))) is Unauthenticated
    assert await door.second_factor(SecondFactor(begun, totp.at(rig.clock())))


async def test_a_code_is_good_once(rig: AccountsRig, door: SignIn, accounts: Accounts) -> None:
    totp, _ = await with_factor(rig, accounts)
    code = totp.at(rig.clock())
    assert await door.second_factor(SecondFactor(await challenge(door), code))
    assert type(await refused(door.second_factor(SecondFactor(await challenge(door), code)))) is Unauthenticated


async def test_a_recovery_code_is_good_once_too(rig: AccountsRig, door: SignIn, accounts: Accounts) -> None:
    _, codes = await with_factor(rig, accounts)
    assert len(set(codes)) == 10
    assert await door.second_factor(SecondFactor(await challenge(door), codes[3]))
    assert type(await refused(door.second_factor(SecondFactor(await challenge(door), codes[3])))) is Unauthenticated


async def test_after_five_wrong_codes_the_log_in_is_over(rig: AccountsRig, door: SignIn, accounts: Accounts) -> None:
    totp, _ = await with_factor(rig, accounts)
    begun = await challenge(door)
    for guess in range(5):
        await refused(door.second_factor(SecondFactor(begun, f"00000{guess}")))
    assert type(await refused(door.second_factor(SecondFactor(begun, totp.at(rig.clock()))))) is Unauthenticated


async def test_a_reset_does_not_go_around_the_second_factor(rig: AccountsRig, door: SignIn, accounts: Accounts) -> None:
    await with_factor(rig, accounts)
    await door.reset(Reset(await reset_token(rig, door), "an evening by the sea"))
    assert (await door.log_in(LogIn(ADA, "an evening by the sea"))).tokens is None


# ---- people and keys -----------------------------------------------------------------------------------------------


async def test_who_is_disabled_is_out_at_once(rig: AccountsRig, door: SignIn, accounts: Accounts) -> None:
    ada, ben = await rig.joined(ADA), await rig.joined("ben@team.example", "manager")
    user_id = (await rig.principal(ben)).subject
    with acting(await rig.principal(ada)):
        assert (await accounts.disable(user_id)).disabled
    assert type(await refused(accounts.identify(Credential(ben.access_token)))) is Unauthenticated
    assert type(await refused(door.refresh(RefreshToken(ben.refresh_token)))) is Unauthenticated
    assert type(await refused(door.log_in(LogIn("ben@team.example", PASSWORD)))) is Unauthenticated
    with acting(await rig.principal(ada)):
        await accounts.enable(user_id)
    assert (await door.log_in(LogIn("ben@team.example", PASSWORD))).tokens


async def test_nobody_makes_or_changes_anybody_above_themselves(rig: AccountsRig, accounts: Accounts) -> None:
    owner, admin = await rig.joined(ADA), await rig.joined("ben@team.example", "admin")
    owner_id = (await rig.principal(owner)).subject
    with acting(await rig.principal(admin)):
        for doing in (
            accounts.invite(Invite("eve@team.example", "owner")),
            accounts.disable(owner_id),
            accounts.change_role(owner_id, RoleChange("viewer")),
        ):
            assert type(await refused(doing)) is Forbidden


async def test_a_workspace_keeps_an_owner(rig: AccountsRig, accounts: Accounts) -> None:
    principal = await rig.principal(await rig.joined(ADA))
    with acting(principal):
        assert type(await refused(accounts.disable(principal.subject))) is Conflict
        assert type(await refused(accounts.change_role(principal.subject, RoleChange("admin")))) is Conflict


async def test_other_workspaces_are_out_of_sight(rig: AccountsRig, accounts: Accounts) -> None:
    mine, theirs = await rig.joined(ADA), await rig.joined("eve@other.example", workspace="other")
    stranger = (await rig.principal(theirs)).subject
    with acting(await rig.principal(mine)):
        assert [user.email for user in (await accounts.users(Page())).data] == [ADA]
        assert type(await refused(accounts.disable(stranger))) is NotFound


async def test_people_are_listed_page_by_page(rig: AccountsRig, accounts: Accounts) -> None:
    principal = await rig.principal(await rig.joined(ADA))
    for number in range(4):
        await rig.joined(f"p{number}@team.example", "viewer")
    found, cursor = [], ""
    with acting(principal):
        while True:
            page = await accounts.users(Page(limit=2, cursor=cursor))
            found += [user.email for user in page.data]
            if not (cursor := page.next):
                break
    assert sorted(found) == sorted([ADA, *(f"p{number}@team.example" for number in range(4))])


async def test_a_key_opens_its_scopes_until_it_is_revoked_or_expires(rig: AccountsRig, accounts: Accounts) -> None:
    with acting(await rig.principal(await rig.joined(ADA))):
        made = await accounts.make_key(NewKey("crm", [Scope.CALLS_READ], days=30))
        other = await accounts.make_key(NewKey("reports", [Scope.REPORTS_READ], days=30))
        identity = await accounts.identify(Credential(made.key))
        assert (identity.known, identity.scopes) == (True, ["calls:read"])
        listed = (await accounts.list_keys()).data
        assert {key.name: (key.key, key.last_used_at is not None) for key in listed} == {
            "crm": ("", True),
            "reports": ("", False),
        }
        await accounts.revoke_key(made.id)
        assert type(await refused(accounts.revoke_key(made.id))) is NotFound
    assert type(await refused(accounts.identify(Credential(made.key)))) is Unauthenticated
    rig.clock.pass_(days=30)
    assert type(await refused(accounts.identify(Credential(other.key)))) is Unauthenticated


async def test_nobody_gives_a_key_what_they_do_not_hold(rig: AccountsRig, accounts: Accounts) -> None:
    principal = await rig.principal(await rig.joined(ADA))
    few = msgspec.structs.replace(principal, scopes=frozenset({"keys:write", "calls:read"}))
    with acting(few):
        assert type(await refused(accounts.make_key(NewKey("x", [Scope.CREDIT_GRANT])))) is Forbidden
        assert type(await refused(accounts.make_key(NewKey("x", [Scope.SELF])))) is Forbidden


@pytest.mark.parametrize("token", ["guess", "a.b.c", "scz_key_none_" + "0" * 64, "é", "x" * 5000])
async def test_a_credential_that_is_not_of_ours_is_nobody_s(rig: AccountsRig, accounts: Accounts, token: str) -> None:
    try:
        identity = await accounts.identify(Credential(token))
    except Unauthenticated:
        return
    assert not identity.known


async def test_what_matters_for_security_can_be_read_afterwards(
    rig: AccountsRig, door: SignIn, accounts: Accounts
) -> None:
    tokens = await rig.joined(ADA)
    rig.clock.pass_(seconds=1)
    await refused(door.log_in(LogIn(ADA, "a guess or two")))
    rig.clock.pass_(seconds=1)
    await door.log_in(LogIn(ADA, PASSWORD))
    with acting(await rig.principal(tokens)):
        page = await accounts.audit(Page(limit=2))
        rest = await accounts.audit(Page(limit=2, cursor=page.next))
    acts = [(entry.act, entry.outcome) for entry in [*page.data, *rest.data]]
    assert acts == [("user.logged-in", "done"), ("login.refused", "refused"), ("user.joined", "done")]
    assert ADA not in str(page)


async def test_one_sees_oneself(rig: AccountsRig, accounts: Accounts) -> None:
    with acting(await rig.principal(await rig.joined(ADA))):
        me = await accounts.me()
    assert me.user
    assert (me.user.email, me.roles, me.workspace) == (ADA, ["owner"], "default")
    assert Scope.SELF in me.scopes


async def test_the_keys_that_tokens_are_signed_by_are_public_and_rotate(rig: AccountsRig, door: SignIn) -> None:
    tokens = await rig.joined(ADA)
    first = (await door.keys()).keys
    rig.clock.pass_(days=30, minutes=1)
    await rig.joined("ben@team.example")
    second = (await door.keys()).keys
    assert (len(first), len(second)) == (1, 2)
    assert first[0].kid in {key.kid for key in second}
    assert not hasattr(second[0], "d")
    with pytest.raises(Unauthenticated, match="expired"):  # known, but too old
        await rig.signing.verify(tokens.access_token)
