"""One real example of each request that has a body, as the OpenAPI page shows it: by the Struct that it is read as."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from scriza.kernel.scopes import Scope
from scriza.ports import accounts, agent, asr, call_desk, conversations, credit, llm, memory, retention, strategy, tts
from scriza.ports import webhooks as hooks

_CALL = "CA6f1c2b7d4e8f9a0b1c2d3e4f5a6b7c8d"
_LEAD = "+14155550142"
_CONVERSATION = agent.Conversation(playbook="sv_8f2d", stage="pitch", opening="Hi, this is Sunny at Paper Kite.")

_GIVEN: tuple[msgspec.Struct, ...] = (
    accounts.Credential("scz_key_7h3k"),
    accounts.PasswordChange(current="an evening by the sea", new="a night by the fire"),
    accounts.FactorCode("492039"),
    accounts.ExternalLogIn("google"),
    accounts.ExternalAnswer(token="scz_external_2x8d", state="Zk3q", code="4/0AX4X", iss="https://accounts.google.com"),
    accounts.Invite("ben@team.example", "manager"),
    accounts.RoleChange("admin"),
    accounts.NewKey("crm", [Scope.CALLS_READ, Scope.MEMORY_READ], days=90),
    accounts.SignUp(token="scz_invitation_9d4s", name="Ben", password="an evening by the sea"),
    accounts.LogIn(email="ben@team.example", password="an evening by the sea"),
    accounts.SecondFactor(challenge="scz_challenge_5f1a", code="492039"),
    accounts.RefreshToken("scz_refresh_3k9e"),
    accounts.ResetAsked("ben@team.example"),
    accounts.Reset(token="scz_reset_6p2w", password="a night by the fire"),
    call_desk.PlaceCall(to=_LEAD, playbook="outbound-demo-en-in", variables={"name": "Priya"}, order_id="lead-17"),
    call_desk.NumberSettings(
        label="Sales", playbook="paper-kite", hours="Mon-Fri 09:00-18:00", zone="America/Los_Angeles"
    ),
    call_desk.BarredReason("asked us by letter"),
    agent.CallFacts(_CALL, "inbound", caller=_LEAD, callee="+14155550100"),
    agent.Reply(_CALL, 2, "what does it cost", _CONVERSATION, confidence=0.93),
    conversations.StartConversation(playbook="paper-kite", variables={"name": "Priya"}),
    conversations.Utterance("how much is it a month"),
    asr.Transcribe(audio=b"\xff\x7f" * 8, encoding="mulaw", sample_rate=8000, language="en"),
    tts.Speak("It is nineteen dollars a month.", tone="friendly", locale="en-US"),
    tts.FixedTexts(["Hi, this is Sunny at Paper Kite.", "Thank you, and goodbye!"]),
    llm.Turn(
        [llm.Message("system", "You are a helpful sales AI."), llm.Message("user", "I'm busy right now")],
        conversation_id=_CALL,
        goals=["book_demo"],
        policy=llm.Policy(critical=True, temperature=0.7),
        script=[llm.ScriptLine("busy", "No problem. When may I call you back?")],
    ),
    credit.CreditCheck(hold=credit.HoldWish(_CALL, seconds=120)),
    credit.GrantWish(25_000_000, grant_id="december", expires_at=datetime(2027, 1, 1, tzinfo=UTC), note="December"),
    credit.CreditRules(thresholds=[5_000_000, 1_000_000], time_zone="America/Los_Angeles"),
    credit.RepriceAsked(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
    hooks.WebhookWish("https://crm.example/scriza", ["call.outcome", "lead.hot"], note="the CRM"),
    strategy.PlaybookRef("paper-kite"),
    strategy.SaveVersion(name="paper-kite.yaml", text="slug: paper-kite\ntitle: Paper Kite\n", message="as it was"),
    strategy.Lint(name="paper-kite.yaml", text="slug: paper-kite\ntitle: Paper Kite\n"),
    strategy.BundleFile(file=b'{"format": "scriza-bundle", "slug": "paper-kite"}'),
    strategy.MergeVersions(ours="7", theirs="8", base="6"),
    strategy.Publish(version="8", message="the winter script"),
    strategy.RollBack(message="the winter script promised too much"),
    strategy.AskAssets(version="8"),
    memory.Recall(_LEAD),
    memory.Correction(id="fact_name", text="Priya"),
    retention.RetentionPolicy(transcript_days=90, call_days=365, fact_days=730),
)
EXAMPLES: Mapping[type[msgspec.Struct], msgspec.Struct] = {type(example): example for example in _GIVEN}
