// kezd's RPC in TypeScript, API version 1.
// Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
// A member with `?` may be left out of parameters, and may be missing from the results of an older daemon.
// Results may have members, and enumerations values, that are not listed here: ignore them.

/** A consumer is done with every event up to `seq`. Saying it twice, or late, changes nothing. */
export interface AckParams {
  consumer: string;
  seq: number;
}

/** Where the consumer stands, durably. */
export interface AckResult {
  consumer: string;
  acked: number;
}

/** Why sending to a contact stopped. */
export interface Alarm {
  kind: "chain_invalid" | "fork" | "key_changed" | "rollback";
  since: number;
  detail: string;
  /** After `key_changed`: the key that has the handle now. `contacts.decide` wants it back. */
  new_primary?: string | null;
  /** Safety words for `new_primary`, to be compared before it is trusted. */
  new_safety_words?: Array<string>;
}

/** Versions of this API that the client can speak. */
export interface ApiRange {
  min?: number;
  max?: number;
}

/** One call that changes something or needs the scope `full`, or many alike of one connection and hour. */
export interface AuditItem {
  /** Of the first call, Unix milliseconds. */
  at: number;
  last_at: number;
  count: number;
  method: string;
  /** The name that the program gave itself. */
  client: string;
  connection: string;
  /** As the kernel told it when the connection was made. */
  pid: number;
  /** What that process ran then; `?` when it could not be read. */
  executable: string;
  scope: string;
  /** Name of the token shown; None without one. */
  token: string | null;
  /** The front-end through which a person said yes. */
  confirmed_by: string | null;
  /** `ok`, the error's slug, or `begun` while it runs (for good, when the daemon died during it). */
  outcome: string;
}

/** A page, newest first. */
export interface AuditResult {
  items: Array<AuditItem>;
  next_cursor?: string | null;
}

/** What a backup holds. */
export interface BackupContents {
  created_at: number;
  /** Version that made it. */
  kezd: string;
  /** Name of the profile that it was made of. */
  profile: string;
  /** Of its database; an older one is brought up to date when it is restored. */
  schema: number;
  /** Of the identity, as in `identity.show`. */
  state: string;
  primary: string | null;
  handle: string | null;
  messages: number;
  conversations: number;
  contacts: number;
  newest_message_at: number | null;
}

/** Where to (`path` or `file`), and what seals it. */
export interface BackupCreateParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  /** Wanted: `$/progress` notifications that carry this token. */
  progress_token?: string | number | null;
  /** Absolute; written beside it and renamed when it is whole. A peer that runs as a service may not write to the person's directories: send an open file then. */
  path?: string | null;
  /** An open file or pipe that comes along with the line. */
  file?: Descriptor | null;
  /** At least 10 characters; needed to restore, and nobody can help who has lost it. */
  passphrase: string;
  /** Overwrite a file of that name. */
  replace?: boolean;
}

/** What to restore into this connection's profile, which must be empty. */
export interface BackupRestoreParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  /** Wanted: `$/progress` notifications that carry this token. */
  progress_token?: string | number | null;
  /** Absolute; or `file`. */
  path?: string | null;
  /** An open file or pipe that comes along with the line. */
  file?: Descriptor | null;
  /** Of the backup. */
  passphrase: string;
  /** For the new vault, on a machine without a keyring. */
  vault_passphrase?: string | null;
}

/** The profile as it is now. */
export interface BackupRestoreResult {
  /** Of the identity: `superseded` until `identity.restore` without words makes this installation the live one. */
  state: string;
  contents: BackupContents;
}

/** A backup that was made, or looked through. */
export interface BackupResult {
  path: string | null;
  bytes: number;
  contents: BackupContents;
}

/** Which file (`path` or `file`) to look through. */
export interface BackupVerifyParams {
  /** Wanted: `$/progress` notifications that carry this token. */
  progress_token?: string | number | null;
  /** Absolute. */
  path?: string | null;
  /** An open file or pipe that comes along with the line. */
  file?: Descriptor | null;
  passphrase: string;
}

/** Names a call of this connection. */
export interface CancelParams {
  /** The request's `id`. */
  id: string | number | number;
}

/** Whether there was something to stop. */
export interface CancelResult {
  /** False when no call of that id waits: it has been answered, or was never made. */
  found: boolean;
}

/** Somebody who says that they are the subject, checked by this peer. */
export interface Candidate {
  handle: string | null;
  primary: string;
  check: ClaimCheck;
}

/** One check of `kez doctor`. */
export interface Check {
  name: string;
  ok: boolean;
  found: string;
  fix?: string;
}

/** Let kezd publish as an account of ours; the secret is kept in the vault. */
export interface ClaimAuthorizeParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  system: "ap" | "bluesky" | "github" | "nostr";
  account: string;
  /** A GitHub token with `gist`, an app password, a Mastodon token, or `nsec1…`. */
  secret: string;
}

/** Whether a claim holds, and how old that knowledge is. */
export interface ClaimCheck {
  subject: string;
  /** The first key of the chain that it was looked for; null when nobody's proof is there. */
  primary: string | null;
  status: "expired" | "fork" | "invalid" | "not_found" | "primary_mismatch" | "revoked" | "rollback" | "subject_mismatch" | "unreachable" | "valid";
  reason: string;
  evidence?: Evidence | null;
  /** When it was last judged; null when it never was. */
  checked_at?: number | null;
  /** What was found then; differs from `status` while that is `unreachable`. */
  last_status?: "expired" | "fork" | "invalid" | "not_found" | "primary_mismatch" | "revoked" | "rollback" | "subject_mismatch" | "unreachable" | "valid" | null;
  last_good_at?: number | null;
  /** The service wants to be asked again then. */
  retry_at?: number | null;
}

/** Sign that we are a subject. */
export interface ClaimCreateParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  subject: string;
  /** Seconds that it holds; null for ever. */
  expires_in_s?: number | null;
}

/** The signed claim. */
export interface ClaimCreateResult {
  claim: ClaimItem;
  /** Canonical JSON. */
  envelope: string;
  encodings: Encodings;
}

/** A proof was seen, changed or vanished, or a snapshot holds no more. */
export interface ClaimEvent {
  type: "changed" | "follow_broken" | "revoked" | "vanished" | "verified";
  primary: string;
  subject?: string | null;
  handle?: string | null;
  status?: "expired" | "fork" | "invalid" | "not_found" | "primary_mismatch" | "revoked" | "rollback" | "subject_mismatch" | "unreachable" | "valid" | null;
  reason?: string;
}

/** Forget the secret of an account. */
export interface ClaimForgetParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  system: "ap" | "bluesky" | "github" | "nostr";
  account: string;
}

/** A claim of ours. */
export interface ClaimItem {
  subject: string;
  primary: string;
  step: "added" | "published" | "publishing" | "revoked" | "signed" | "verified";
  created_at?: number | null;
  expires_at?: number | null;
  /** Where it is published. */
  url?: string | null;
  check?: ClaimCheck | null;
}

/** Publish a claim, wait until it is seen, then add it to the sigchain. Calling again goes on. */
export interface ClaimPublishParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  /** Wanted: `$/progress` notifications that carry this token. */
  progress_token?: string | number | null;
  subject: string;
  /** Seconds to wait until the proof is seen. */
  wait_s?: number;
}

/** How far it came. */
export interface ClaimPublishResult {
  claim: ClaimItem;
  /** Whether the proof was seen and the sigchain names it. */
  done: boolean;
  /** What the person has to publish: a zone-file line, or the content of `/.well-known/kez.json`. */
  paste?: string | null;
  paste_where?: string | null;
  /** What could not be done now, for people; calling again tries it again. */
  left?: Array<string>;
}

/** Names a claim of ours. */
export interface ClaimRef {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  /** Wanted: `$/progress` notifications that carry this token. */
  progress_token?: string | number | null;
  subject: string;
}

/** Claims of ours, by subject. */
export interface ClaimsResult {
  items: Array<ClaimItem>;
}

/** Who calls. */
export interface ClientInfo {
  name: string;
  version?: string;
}

/** A call that waits. All but `pid`, `executable` and times is foreign text. */
export interface Confirmation {
  id: string;
  profile: string;
  method: string;
  /** In plain words, what will be signed, shown or given away. */
  summary: string;
  client: string;
  pid: number;
  executable: string;
  token: string | null;
  /** Unix milliseconds. */
  asked_at: number;
  /** When no answer is a no. */
  expires_at: number;
}

/** A person's answer. Who answers what was answered before gets `not_found`. */
export interface ConfirmationAnswerParams {
  id: string;
  allow: boolean;
}

/** A call waits for a person's yes, or does not any more. */
export interface ConfirmationEvent {
  type: "asked" | "settled";
  confirmation: Confirmation;
  /** How it was settled; `gone` when the caller hung up. */
  outcome?: "allowed" | "gone" | "refused" | "timed_out" | null;
}

/** Said to the caller itself: one of its calls waits for a person's yes, which it may give if it is `full`. */
export interface ConfirmationNotice {
  confirmation: Confirmation;
}

/** All that wait on this profile, oldest first. */
export interface ConfirmationsResult {
  items: Array<Confirmation>;
}

/** A named place in the event log. */
export interface Consumer {
  name: string;
  topics: Array<string>;
  acked: number;
  /** Events of its topics that it has not acknowledged. */
  lag: number;
  /** Events that it has not acknowledged are gone: `[events] keep_days` or `keep_mb` was reached. */
  lost: boolean;
  connected: boolean;
  created_at: number;
  /** When it was connected last, or acknowledged something. */
  last_seen: number;
}

/** Names a consumer to be forgotten. */
export interface ConsumerRef {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  consumer: string;
}

/** All consumers, by name; there are at most 64. */
export interface ConsumersResult {
  items: Array<Consumer>;
}

/** Somebody. `genesis` is the primary their chain began with, and their id everywhere. */
export interface Contact {
  genesis: string;
  primary: string;
  handle: string | null;
  state: "accepted" | "blocked" | "request";
  added_at: number;
  checked_at: number | null;
  chain_seq: number;
  safety_words: Array<string>;
  alarm?: Alarm | null;
  /** When the person said that both see these safety words; null once the key is another one. */
  verified_at?: number | null;
  /** Safety words were compared once, with a key that is not the one above, or an alarm stands. */
  reverify?: boolean;
}

/** Resolve a handle, verify registration and chain, and trust the key found first. */
export interface ContactAddParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  /** A handle, or a contact URI `kez:alice@kez.lat?key=ed25519:…`, whose key has to be the one found. */
  handle: string;
}

/** How many contacts there are. */
export interface ContactCounts {
  accepted: number;
  requests: number;
  blocked: number;
  /** Contacts at whom an alarm stands. */
  alarms: number;
}

/** The person's answer to an alarm. */
export interface ContactDecideParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  contact: string;
  decision: "keep_old" | "trust_new";
  /** The alarm's `new_primary` as the person saw it; `trust_new` after `key_changed` needs it. */
  expected_primary?: string | null;
}

/** A contact came or changed. */
export interface ContactEvent {
  type: "added" | "alarm" | "changed" | "decided" | "request";
  contact: Contact;
}

/** Names a contact by handle or by primary. */
export interface ContactRef {
  contact: string;
}

/** Names a contact to be changed. */
export interface ContactRefMutation {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  contact: string;
}

/** What the person found when they compared safety words with a contact. */
export interface ContactVerifyParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  contact: string;
  /** The twelve words that were shown; refused when they are not those of the contact's key of now. */
  safety_words: Array<string>;
  /** Whether the other side saw the same words; false takes an earlier yes back. */
  match?: boolean;
}

/** Contacts, by handle. */
export interface ContactsResult {
  items: Array<Contact>;
  next_cursor?: string | null;
}

/** One thread. */
export interface Conversation {
  contact: string;
  handle: string | null;
  state: "accepted" | "blocked" | "request";
  unread: number;
  last: Message | null;
  /** Messages known to exist that have not arrived. */
  missing: number;
}

/** A conversation changed: what a list of conversations shows, so that nobody has to fetch it again. */
export interface ConversationEvent {
  type: "changed";
  conversation: Conversation;
  /** Unread messages of all conversations, as in a snapshot. */
  unread: number;
}

/** Threads, latest first. */
export interface ConversationsResult {
  items: Array<Conversation>;
  next_cursor?: string | null;
}

/** Accounts that kezd may publish as; never their secrets. */
export interface CredentialsResult {
  /** `system:account`. */
  accounts: Array<string>;
}

/** A method was called that will go; said once for each method on a connection, before the answer. */
export interface DeprecatedNotice {
  method: string;
  instead: string;
}

/** An open file that the client sent along with the line (`SCM_RIGHTS`). */
export interface Descriptor {
  /** Which of the line's descriptors, from 0. */
  fd: number;
}

/** All checks. */
export interface DoctorResult {
  checks: Array<Check>;
}

/** The OpenRPC document. */
export interface Document {
  document: Record<string, unknown>;
}

/** Nothing more to say. */
export interface Done {
  ok?: boolean;
}

/** A method without parameters. */
export type Empty = Record<string, never>;

/** One proof, written in four ways. */
export interface Encodings {
  json: string;
  compact: string;
  markdown: string;
  /** A line for a zone file. */
  dns: string;
}

/** A subscription has ended, and not because its reader was slow. */
export interface EndedNotice {
  subscription: string;
  epoch: string;
  /** Of the last event that was sent, or passed over as of another topic. */
  last_seq: number;
  /** `complete`: `follow` was false. `taken_over`: another subscription has the consumer's name now. `closed`: the profile was locked or removed. */
  reason: "closed" | "complete" | "forgotten" | "taken_over";
}

/** One event of a subscription. */
export interface EventNotice {
  subscription: string;
  /** Names the log: a cursor is `{epoch, seq}`. */
  epoch: string;
  /** Place in the log, growing; 0 for an ephemeral event. */
  seq: number;
  topic: string;
  /** The body of the topic's events. */
  event: Record<string, unknown>;
}

/** What a judgement rests on. */
export interface Evidence {
  /** The place that decided, for people: a URL, or the name of a record. */
  where: string;
  /** The proof as it was there, in compact form. */
  proof?: string | null;
  /** Of the proof's canonical JSON. */
  proof_sha256?: string | null;
  /** The primary that signed it. */
  signed_by?: string | null;
  signed_at?: number | null;
  expires_at?: number | null;
}

/** Where to write a person's own data (`path` or `file`): a tar archive, readable and not encrypted. */
export interface ExportCreateParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  /** Wanted: `$/progress` notifications that carry this token. */
  progress_token?: string | number | null;
  /** Absolute; nothing may be there. A peer that runs as a service may not write everywhere: see `file`. */
  path?: string | null;
  /** An open file or pipe that comes along with the line. */
  file?: Descriptor | null;
}

/** What was written. */
export interface ExportResult {
  path: string | null;
  files: number;
  messages: number;
  conversations: number;
  contacts: number;
}

/** Somebody whom we follow. */
export interface Follow {
  primary: string;
  handle: string | null;
  since: number;
  chain_seq: number;
  chain_head: string | null;
  /** As they were seen then. */
  claims: Record<string, "expired" | "fork" | "invalid" | "not_found" | "primary_mismatch" | "revoked" | "rollback" | "subject_mismatch" | "unreachable" | "valid">;
  /** Why the snapshot holds no more; null while it does. */
  broken?: string | null;
}

/** Whom to follow: keep a signed snapshot, and be told when it holds no more. */
export interface FollowParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  who: string;
  progress_token?: string | number | null;
}

/** Everybody whom we follow. */
export interface FollowsResult {
  items: Array<Follow>;
}

/** Who is that? */
export interface GraphFindParams {
  /** Wanted: `$/progress` notifications that carry this token. */
  progress_token?: string | number | null;
  subject: string;
  /** Whose home server is asked; our own by default. */
  server?: string | null;
}

/** Candidates, those that hold first. */
export interface GraphFindResult {
  items: Array<Candidate>;
  /** Who could not be asked. */
  left?: Array<string>;
}

/** Somebody with all that they claim. */
export interface GraphProfile {
  /** The first key of their chain. */
  primary: string;
  /** The key that speaks for them now. */
  current: string;
  handle: string | null;
  chain_seq: number;
  chain_head: string | null;
  /** Their sigchain contradicts what was seen before. */
  alarm?: "fork" | "rollback" | null;
  /** Why the chain is the one known before: its server could not be asked. */
  chain_trouble?: string | null;
  claims: Array<ClaimCheck>;
  /** Claims beyond the 64 that are shown. */
  more?: number;
  followed_since?: number | null;
  follow_broken?: string | null;
}

/** Names somebody whom we follow, by handle or primary. */
export interface GraphRef {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  who: string;
}

/** Whose profile. */
export interface GraphShowParams {
  /** Wanted: `$/progress` notifications that carry this token. */
  progress_token?: string | number | null;
  /** A handle or a primary. */
  who: string;
  fresh?: boolean;
}

/** Whom or what to check. */
export interface GraphVerifyParams {
  /** Wanted: `$/progress` notifications that carry this token. */
  progress_token?: string | number | null;
  /** An identifier, a handle, a primary, or any text with a proof in it. */
  what: string;
  /** Look now, whatever is known. */
  fresh?: boolean;
}

/** Whether it holds; for a person, all that they claim. */
export interface GraphVerifyResult {
  kind: "claim" | "person" | "proof";
  status: "expired" | "fork" | "invalid" | "not_found" | "primary_mismatch" | "revoked" | "rollback" | "subject_mismatch" | "unreachable" | "valid";
  reason: string;
  primary?: string | null;
  handle?: string | null;
  /** One for a claim or a proof. */
  claims?: Array<ClaimCheck>;
}

/** How the peer is. */
export interface HealthResult {
  state: string;
  links: Array<LinkHealth>;
  pid: number;
  uptime_ms: number;
  /** Hostile or broken input dropped since the database began, by cause. */
  dropped: Record<string, number>;
}

/** Messages of one conversation, newest page first, in order within the page; or onward from a place. */
export interface HistoryParams {
  contact: string;
  limit?: number;
  cursor?: string | null;
  /** Only messages with a greater `position` than this, oldest page first; 0 for all of them. Pages go on with `cursor` beside the same `after`. */
  after?: number | null;
}

/** The words at the positions asked for, keyed by position as text. */
export interface IdentityConfirmParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  answers: Record<string, string>;
}

/** Make a key and its recovery words. Nothing is registered yet. */
export interface IdentityCreateParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  words?: 12 | 24;
  /** For a new vault on a machine without a keyring. */
  passphrase?: string | null;
}

/** The words, to be written on paper; the same again until they are confirmed. */
export interface IdentityCreateResult {
  primary: string;
  words: Array<string>;
  /** 1-based positions of the words that `identity.confirm` wants. */
  ask: Array<number>;
}

/** The identity of this profile changed. */
export interface IdentityEvent {
  type: "chain" | "chain_alarm" | "created" | "registered" | "restored" | "resumed" | "rotated" | "superseded";
  identity: IdentityResult;
}

/** Bind a handle to the confirmed key on the home server, then publish the sigchain. */
export interface IdentityRegisterParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  handle: string;
  /** Overrides the configuration's `home.url` for this identity from now on. */
  home_url?: string | null;
}

/** Bring an identity back from its words on an empty profile (or take over again). */
export interface IdentityRestoreParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  /** 12 or 24 words; None on a superseded installation that takes over again. */
  words?: string | null;
  passphrase?: string | null;
  home_url?: string | null;
}

/** The identity of this profile. */
export interface IdentityResult {
  state: "active" | "none" | "superseded" | "unconfirmed" | "unregistered";
  /** The first key of its sigchain, which names it for ever. */
  primary?: string | null;
  /** The primary that signs now; another one than `primary` after a rotation. */
  key?: string | null;
  handle?: string | null;
  home_url?: string | null;
  nkey?: string | null;
  chain_seq?: number | null;
  chain_head?: string | null;
  registered_at?: number | null;
  /** Why it is superseded. */
  reason?: string | null;
  /** How far a change of its key has come. */
  rotation?: "confirmed" | "shown" | null;
  /** What contradicts our own sigchain: a server that shows others something else, or a second signer. */
  chain_alarm?: string | null;
}

/** Show the words again, after a fresh unlock. */
export interface IdentityWordsParams {
  passphrase?: string | null;
}

/** The first call of a connection. */
export interface InitializeParams {
  client: ClientInfo;
  api?: ApiRange;
  profile?: string;
  /** Secret of a token, for its scope; without one: `chat`. */
  token?: string | null;
}

/** What the connection is from now on. */
export interface InitializeResult {
  api: number;
  daemon_version: string;
  /** New at each start of the daemon. */
  instance_id: string;
  /** The event log's; None while the profile is empty or locked. */
  epoch: string | null;
  profile: string;
  scope: string;
  /** `empty`, `locked`, or `open`; `session.changed` tells when it becomes another one. */
  state: string;
  /** Of the identity, qualified; null while the profile is not open or has no handle. */
  handle?: string | null;
  /** Genesis primary of the identity; null while the profile is not open or has none. */
  primary?: string | null;
  limits: Limits;
  capabilities: Array<string>;
}

/** A subscription ended because its reader was too slow; nothing is lost, subscribe again from `last_seq`. */
export interface LaggedNotice {
  subscription: string;
  epoch: string;
  last_seq: number;
}

/** What the peer accepts. */
export interface Limits {
  line_bytes: number;
  batch: number;
  calls_in_flight: number;
  connections: number;
  page: number;
}

/** A link changed its state. */
export interface LinkEvent {
  link: LinkHealth;
}

/** One link: `home`, `nats`, `store`. */
export interface LinkHealth {
  name: string;
  state: string;
  since?: number | null;
  last_received_age_ms?: number | null;
  queue?: number;
  last_error?: string | null;
}

/** One message of a conversation. */
export interface Message {
  /** 128-bit random, lower-case hex; the same on both sides. */
  id: string;
  /** Genesis primary of the other side. */
  contact: string;
  handle: string | null;
  direction: "in" | "out";
  kind: string;
  text: string | null;
  sent_at: number;
  arrived_at: number;
  /** Outgoing: queued → accepted → delivered → read, or failed. Incoming: received → seen. */
  state: "accepted" | "delivered" | "failed" | "queued" | "read" | "received" | "seen";
  /** Why it failed, or why it still waits: a name of the table of causes. */
  cause?: string | null;
  /** Order inside the conversation, growing. */
  position?: number;
  request?: boolean;
  future_dated?: boolean;
  /** Dated before this installation was restored: shown, never notified. */
  older?: boolean;
  needs_newer_version?: boolean;
  /** Messages of the same stream that have not arrived and come before this one. */
  missing_before?: number;
}

/** A message came, was queued, or changed. */
export interface MessageEvent {
  /** `request`: a stranger's, whose text is null until the request is accepted; then come `state`s. `seen`: what a contact wrote was marked as seen, one event for many messages; it has no `message`. */
  type: "missing_filled" | "received" | "request" | "seen" | "sent" | "state";
  /** Of every type but `seen`. */
  message?: Message | null;
  /** Whether a person should be told: true for what is `received` and not dated before a restore. */
  notify?: boolean;
  /** Of `seen`: genesis primary of who wrote. */
  contact?: string | null;
  /** Of `seen`: each incoming message with this position or a smaller one is `seen` now. */
  up_to?: number | null;
  /** Of `seen`: how many became it. */
  marked?: number | null;
}

/** Names a message. */
export interface MessageRef {
  id: string;
}

/** A message. */
export interface MessageResult {
  message: Message;
}

/** A page of messages. */
export interface MessagesResult {
  items: Array<Message>;
  next_cursor?: string | null;
}

/** One page of a list. */
export interface PageParams {
  limit?: number;
  cursor?: string | null;
}

/** A new, empty profile. */
export interface ProfileCreateParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  /** 1 to 32 of `a-z 0-9 _ -`, beginning with a letter or digit. */
  name: string;
}

/** One profile. */
export interface ProfileItem {
  name: string;
  /** `empty`, `locked`, or `open`. */
  state: string;
  /** State of the identity, when the profile is open. */
  identity?: string | null;
  handle?: string | null;
  primary?: string | null;
  /** State of the link to the home's broker, when the profile is open. */
  link?: string | null;
  /** Slug of why it is locked. */
  trouble?: string | null;
}

/** A profile to be deleted with everything in it: keys, messages, contacts. */
export interface ProfileRemoveParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  name: string;
  /** Also an identity that is live here, and also the last profile. */
  force?: boolean;
}

/** All of them, by name. */
export interface ProfilesResult {
  items: Array<ProfileItem>;
}

/** How far the call with this `progress_token` is. */
export interface ProgressNotice {
  token: string | number;
  value: ProgressValue;
}

/** How far a call is. At most ten a second, the last one always. */
export interface ProgressValue {
  done: number;
  /** None while nobody knows. */
  total: number | null;
  /** Of both numbers: `bytes`, `messages`, …; may be empty. */
  unit: string;
  /** What is being done, for people. */
  text?: string;
}

/** Mark what has arrived as seen (all, or up to a position); sends read receipts if chosen. */
export interface ReadParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  contact: string;
  up_to?: number | null;
}

/** How many messages became seen. */
export interface ReadResult {
  marked: number;
}

/** What a maintainer needs to know, without names, keys, texts or addresses. */
export interface ReportResult {
  sections: Array<ReportSection>;
}

/** One part of a report, redacted. */
export interface ReportSection {
  name: string;
  text: string;
}

/** The new words; the same again until they are confirmed. */
export interface RotateResult {
  /** The key that will sign. */
  primary: string;
  words: Array<string>;
  /** 1-based positions of the words that `sigchain.rotate_confirm` wants. */
  ask: Array<number>;
}

/** Send text. Returns once it is stored and queued; events tell the rest. */
export interface SendParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  to: string;
  /** At most 32 KiB of UTF-8; this or `text_from`. */
  text?: string | null;
  /** A file or pipe with the text, read to its end. */
  text_from?: Descriptor | null;
}

/** The message as queued (`message.id` is its id for good). */
export interface SendResult {
  message: Message;
}

/** The profile of this connection has another state now. */
export interface SessionChangedNotice {
  profile: string;
  /** `removed`: there is nothing more to ask on this connection. */
  state: "empty" | "locked" | "open" | "removed";
}

/** Say in our sigchain that a device is ours. */
export interface SigchainAddDeviceParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  device: string;
  name: string;
  key: string;
  capabilities?: Array<string>;
}

/** Say where we are reached, beside what the peer says by itself. */
export interface SigchainAddEndpointParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  protocol: "iroh" | "nats";
  /** For `nats`; its inbox is ours. */
  url?: string | null;
  /** For `iroh`. */
  node_id?: string | null;
}

/** Read a copy of a sigchain and compare it with what is known. */
export interface SigchainCheckParams {
  source: "dns" | "nostr" | "web";
  /** The domain for `web` and `dns`, the npub for `nostr`. */
  at: string;
  who?: string | null;
}

/** A copy as it was read back. A fork is an error, and an alarm. */
export interface SigchainCopyResult {
  where: string;
  /** `older` is a copy that lags behind; `newer` was kept. */
  verdict: "newer" | "older" | "same";
  head: SigchainHead | null;
}

/** A device that is the identity's. */
export interface SigchainDevice {
  device: string;
  name: string;
  key: string;
  capabilities: Array<string>;
}

/** The person has looked at the alarm about their own sigchain. */
export interface SigchainDismissParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
}

/** Where the identity is reached. */
export interface SigchainEndpoint {
  protocol: "iroh" | "nats";
  /** The url of a NATS endpoint, the node id of an Iroh one. */
  id: string;
  inbox?: string | null;
  accepts?: Array<number>;
}

/** One event. */
export interface SigchainEvent {
  seq: number;
  op: string;
  /** Milliseconds, as signed; decides nothing. */
  created_at: number;
  /** In a sentence. */
  says: string;
  /** The primary that signed it. */
  key: string;
  hash: string;
}

/** A sigchain as bytes that others can verify. */
export interface SigchainExportParams {
  who?: string | null;
  format?: "bundle" | "jsonl" | "zone";
  /** For `zone`: the domain whose TXT record it becomes. */
  domain?: string | null;
  /** A new file for it; without one it comes as `text`, up to 512 KiB. */
  path?: string | null;
}

/** The exported sigchain. */
export interface SigchainExportResult {
  genesis: string;
  head: SigchainHead | null;
  text?: string | null;
  path?: string | null;
}

/** A primary that signs no more. */
export interface SigchainFormerKey {
  key: string;
  /** Milliseconds, as signed. */
  rotated_at: number;
}

/** The last event. */
export interface SigchainHead {
  seq: number;
  hash: string;
}

/** Take in a sigchain that came another way: compared with what is known, longer ones are kept. */
export interface SigchainImportParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  /** JSONL, a bundle (`kez:zc1:…`) or TXT records. */
  text?: string | null;
  path?: string | null;
}

/** What an imported sigchain was, beside what is known. */
export interface SigchainImportResult {
  genesis: string;
  own: boolean;
  /** `newer` was kept; `older` is a copy that lags behind. A fork is an error, and an alarm. */
  verdict: "newer" | "older" | "same";
  head: SigchainHead | null;
  /** Events that were known. */
  known_before: number;
}

/** Put our sigchain where others find it, and read it back from there. */
export interface SigchainPublishParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  to?: "file" | "nostr" | "server";
  /** For `file`: what a web server shows at `/.well-known/kez-sigchain.jsonl`; an older one is replaced. */
  path?: string | null;
  /** For `nostr`: the npub whose credential (`claims.authorize`) publishes it. */
  account?: string | null;
}

/** Say that we are not reached there any more. */
export interface SigchainRemoveEndpointParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  protocol: "iroh" | "nats";
  id: string;
}

/** A verified sigchain. */
export interface SigchainResult {
  genesis: string;
  /** The primary that signs now. */
  key: string;
  handle: string | null;
  own: boolean;
  head: SigchainHead | null;
  events: Array<SigchainEvent>;
  /** Events before the first one shown. */
  earlier: number;
  devices: Array<SigchainDevice>;
  endpoints: Array<SigchainEndpoint>;
  subjects: Array<SigchainSubject>;
  revoked: Array<string>;
  former_keys: Array<SigchainFormerKey>;
  /** What stands against it: a fork, a rollback. */
  alarm?: string | null;
}

/** Say that a device is ours no more. */
export interface SigchainRevokeDeviceParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  device: string;
}

/** Forget a new key that was not confirmed. */
export interface SigchainRotateCancelParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
}

/** The new words at the positions asked for, keyed by position as text; then the key is changed. */
export interface SigchainRotateConfirmParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  answers: Record<string, string>;
}

/** Begin to change the key: its words, to be written on paper; nothing is signed yet. */
export interface SigchainRotateParams {
  /** Remembered for 24 h with the result; 1 to 128 characters. */
  idempotency_key?: string | null;
  /** Check everything, change nothing. */
  dry_run?: boolean;
  words?: 12 | 24;
  /** Words that there are already; they take the place of a key that was shown before. */
  phrase?: string | null;
}

/** A sigchain in readable form; the newest events, oldest first. */
export interface SigchainShowParams {
  /** A contact's handle or primary; None for our own. */
  who?: string | null;
  limit?: number;
}

/** Another name that the identity says it has. */
export interface SigchainSubject {
  subject: string;
  proof_url?: string | null;
}

/** A place in the event log. */
export interface Since {
  epoch: string;
  seq: number;
}

/** The state at one place in the log: with the events after it, nothing is missed and nothing counted twice. */
export interface Snapshot {
  identity: IdentityResult;
  /** The first page, latest first, with unread counts. */
  conversations: ConversationsResult;
  /** Unread messages of all conversations. */
  unread: number;
  contacts: ContactCounts;
  /** As they are now: links are not in the log. */
  links: Array<LinkHealth>;
}

/** State of the profile. */
export interface StateResult {
  state: string;
}

/** The daemon stops: running calls are still answered, new ones are not read. */
export type StoppingNotice = Record<string, never>;

/** Listen. With `since`: replay what came after it, then go live. */
export interface SubscribeParams {
  topics: Array<string>;
  since?: Since | null;
  /** A name of 1 to 64 characters of A-Z a-z 0-9 . _ - under which `events.ack` is remembered. A new one begins at `since`, at the snapshot, or now; a known one after what it acknowledged, unless `since` or `snapshot` says otherwise. Whoever had the name loses its subscription. */
  consumer?: string | null;
  /** Give what a front-end draws first, as it was at `seq`; the events go on from there. Not with `since`. */
  snapshot?: boolean;
  /** False: end after what the log has now, with `events.ended`. */
  follow?: boolean;
}

/** The subscription and where the log stands; live events have a greater seq. */
export interface SubscribeResult {
  subscription: string;
  epoch: string;
  seq: number;
  /** Seq from which on events of the topics are sent again; null when it begins live. */
  replayed_from?: number | null;
  /** Seq of the oldest event that is kept; null before the first one. */
  first_seq?: number | null;
  /** Of a consumer: what it is done with. */
  acked?: number | null;
  snapshot?: Snapshot | null;
}

/** Names a subscription of this connection. */
export interface SubscriptionRef {
  subscription: string;
}

/** Make a token. Names are unique, so a call that is repeated makes no second one. */
export interface TokenCreateParams {
  /** 1 to 64 printable characters. */
  name: string;
  scope: "chat" | "full" | "read";
  /** None for a token that lasts until it is revoked. */
  expires_in_s?: number | null;
  /** The only ones that it is for; None for all. A full token is for all. */
  profiles?: Array<string> | null;
}

/** The new token. */
export interface TokenCreateResult {
  /** The secret: said here, and never again. */
  token: string;
  item: TokenItem;
}

/** A token, without its secret. Times are Unix milliseconds. */
export interface TokenItem {
  name: string;
  scope: "chat" | "full" | "read";
  profiles: Array<string> | null;
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
  expired: boolean;
}

/** A token by its name. */
export interface TokenRef {
  name: string;
}

/** A page of tokens, by name. */
export interface TokensResult {
  items: Array<TokenItem>;
  next_cursor?: string | null;
}

/** Open the vault. */
export interface UnlockParams {
  passphrase?: string | null;
}

/** Versions. */
export interface VersionResult {
  version: string;
  api: number;
  python: string;
}

/** The recovery words. */
export interface WordsResult {
  words: Array<string>;
}

/** Every method, by name. */
export interface Methods {
  /** Begin a connection: versions, profile, limits. Scope: read. */
  "session.initialize": { params: InitializeParams; result: InitializeResult };
  /** Open the vault of a locked profile. Scope: full. */
  "session.unlock": { params: UnlockParams; result: StateResult };
  /** Stop a call of this connection; it answers `cancelled`, or its result when it was done already. Scope: read. */
  "rpc.cancel": { params: CancelParams; result: CancelResult };
  /** The OpenRPC document of this API. Scope: read. */
  "rpc.discover": { params: Empty; result: Document };
  /** Versions of daemon and API. Scope: read. */
  "daemon.version": { params: Empty; result: VersionResult };
  /** State of each link, and what was dropped. Scope: read. */
  "daemon.health": { params: Empty; result: HealthResult };
  /** Look for what is wrong, with a fix for each finding. Scope: read. */
  "daemon.doctor": { params: Empty; result: DoctorResult };
  /** A redacted account of this peer to show to a maintainer; it is sent nowhere. Scope: full. */
  "daemon.report": { params: Empty; result: ReportResult };
  /** Stop the daemon cleanly. Scope: full. */
  "daemon.shutdown": { params: Empty; result: Done };
  /** The identity of this profile. Scope: read. */
  "identity.show": { params: Empty; result: IdentityResult };
  /** Make a key; returns the recovery words to be written on paper. Scope: full. */
  "identity.create": { params: IdentityCreateParams; result: IdentityCreateResult };
  /** Prove that the words were written down. Scope: full. */
  "identity.confirm": { params: IdentityConfirmParams; result: IdentityResult };
  /** Register a handle and publish the sigchain. Scope: full. */
  "identity.register": { params: IdentityRegisterParams; result: IdentityResult };
  /** Bring an identity back from its words; other installations become superseded. Scope: full. */
  "identity.restore": { params: IdentityRestoreParams; result: IdentityResult };
  /** Show the recovery words again, after a fresh unlock. Scope: full. */
  "identity.words": { params: IdentityWordsParams; result: WordsResult };
  /** Resolve a handle, verify it, trust it on first use. Scope: chat. */
  "contacts.add": { params: ContactAddParams; result: Contact };
  /** All contacts and requests. Scope: read. */
  "contacts.list": { params: PageParams; result: ContactsResult };
  /** One contact, with safety words. Scope: read. */
  "contacts.show": { params: ContactRef; result: Contact };
  /** Look the contact up again and check the chain. Scope: chat. */
  "contacts.refresh": { params: ContactRefMutation; result: Contact };
  /** Accept a stranger's message request. Scope: chat. */
  "contacts.accept": { params: ContactRefMutation; result: Contact };
  /** Drop what this contact sends from now on. Scope: chat. */
  "contacts.block": { params: ContactRefMutation; result: Contact };
  /** Answer an alarm: trust the new key, or keep the old one. Scope: full. */
  "contacts.decide": { params: ContactDecideParams; result: Contact };
  /** Remember whether the safety words matched. Scope: full. */
  "contacts.verify": { params: ContactVerifyParams; result: Contact };
  /** Queue a text message. Scope: chat. */
  "chat.send": { params: SendParams; result: SendResult };
  /** A page of a conversation. Scope: read. */
  "chat.history": { params: HistoryParams; result: MessagesResult };
  /** One message by id. Scope: read. */
  "chat.message": { params: MessageRef; result: MessageResult };
  /** Threads with unread counts. Scope: read. */
  "chat.conversations": { params: PageParams; result: ConversationsResult };
  /** Mark messages as seen. Scope: chat. */
  "chat.read": { params: ReadParams; result: ReadResult };
  /** Sign that we are a subject; while such a claim stands, that one. Scope: full. */
  "claims.create": { params: ClaimCreateParams; result: ClaimCreateResult };
  /** Keep the credential of an account in the vault, to publish as it. Scope: full. */
  "claims.authorize": { params: ClaimAuthorizeParams; result: Done };
  /** Accounts that kezd may publish as. Scope: full. */
  "claims.credentials": { params: Empty; result: CredentialsResult };
  /** Forget the credential of an account. Scope: full. */
  "claims.forget": { params: ClaimForgetParams; result: Done };
  /** Publish a claim, wait until it is seen, add it to the sigchain; calling again goes on. Scope: full. */
  "claims.publish": { params: ClaimPublishParams; result: ClaimPublishResult };
  /** Unpublish a claim where we can, and revoke it in the sigchain. Scope: full. */
  "claims.remove": { params: ClaimRef; result: ClaimPublishResult };
  /** Our claims, how far each is, and whether it holds. Scope: read. */
  "claims.list": { params: Empty; result: ClaimsResult };
  /** Check an identifier, a handle, a primary, or a text with a proof in it. Scope: chat. */
  "graph.verify": { params: GraphVerifyParams; result: GraphVerifyResult };
  /** Somebody with all that they claim, each checked. Scope: chat. */
  "graph.show": { params: GraphShowParams; result: GraphProfile };
  /** Who a subject is: candidates, each checked by this peer. Scope: chat. */
  "graph.find": { params: GraphFindParams; result: GraphFindResult };
  /** Keep a signed snapshot of somebody, and be told when it holds no more. Scope: full. */
  "graph.follow": { params: FollowParams; result: Follow };
  /** Follow somebody no more. Scope: full. */
  "graph.unfollow": { params: GraphRef; result: Done };
  /** Everybody whom we follow. Scope: read. */
  "graph.follows": { params: Empty; result: FollowsResult };
  /** Listen to events: from now on, from a place in the log, as a named consumer, or from a snapshot. Scope: read. */
  "events.subscribe": { params: SubscribeParams; result: SubscribeResult };
  /** Stop listening. Scope: read. */
  "events.unsubscribe": { params: SubscriptionRef; result: Done };
  /** A named consumer is done with the events up to a seq. Scope: read. */
  "events.ack": { params: AckParams; result: AckResult };
  /** The named consumers, and how far each is behind. Scope: read. */
  "events.consumers": { params: Empty; result: ConsumersResult };
  /** Drop a named consumer; nothing is kept for it any more. Scope: chat. */
  "events.forget": { params: ConsumerRef; result: Done };
  /** Write the profile, keys and all, to a file sealed with a passphrase. Scope: full. */
  "backup.create": { params: BackupCreateParams; result: BackupResult };
  /** Look through a backup to its last byte, and say what is in it. Scope: full. */
  "backup.verify": { params: BackupVerifyParams; result: BackupResult };
  /** Bring a backup into an empty profile, as another installation that is not live yet. Scope: full. */
  "backup.restore": { params: BackupRestoreParams; result: BackupRestoreResult };
  /** Write conversations, contacts, identity and sigchain to files that need no kezd. Not encrypted. Scope: full. */
  "export.create": { params: ExportCreateParams; result: ExportResult };
  /** The profiles of this daemon. Scope: full. */
  "profiles.list": { params: Empty; result: ProfilesResult };
  /** Make an empty profile; it is there at once, and after a restart. Scope: full. */
  "profiles.create": { params: ProfileCreateParams; result: ProfileItem };
  /** Stop a profile and delete it with everything in it. Scope: full. */
  "profiles.remove": { params: ProfileRemoveParams; result: Done };
  /** A sigchain in readable form, our own or a contact's. Scope: read. */
  "sigchain.show": { params: SigchainShowParams; result: SigchainResult };
  /** A sigchain as JSONL, as a bundle, or as a line of a zone file. Scope: full. */
  "sigchain.export": { params: SigchainExportParams; result: SigchainExportResult };
  /** Take in a sigchain that came another way; one that contradicts what is known is an alarm. Scope: full. */
  "sigchain.import": { params: SigchainImportParams; result: SigchainImportResult };
  /** Say in our sigchain that a device is ours. Scope: full. */
  "sigchain.add_device": { params: SigchainAddDeviceParams; result: SigchainHead };
  /** Say in our sigchain that a device is ours no more. Scope: full. */
  "sigchain.revoke_device": { params: SigchainRevokeDeviceParams; result: SigchainHead };
  /** Say in our sigchain where we are reached, too. Scope: full. */
  "sigchain.add_endpoint": { params: SigchainAddEndpointParams; result: SigchainHead };
  /** Say in our sigchain where we are not reached any more. Scope: full. */
  "sigchain.remove_endpoint": { params: SigchainRemoveEndpointParams; result: SigchainHead };
  /** Begin to change the key: returns the new recovery words; nothing is signed yet. Scope: full. */
  "sigchain.rotate": { params: SigchainRotateParams; result: RotateResult };
  /** Prove that the new words were written down; then the key is changed for good. Scope: full. */
  "sigchain.rotate_confirm": { params: SigchainRotateConfirmParams; result: IdentityResult };
  /** Forget a new key that was not confirmed. Scope: full. */
  "sigchain.rotate_cancel": { params: SigchainRotateCancelParams; result: IdentityResult };
  /** Put our sigchain on its server, into a file for a web site, or on nostr relays; read it back from there. Scope: full. */
  "sigchain.publish": { params: SigchainPublishParams; result: SigchainCopyResult };
  /** Read a copy of a sigchain from a web site, the DNS or nostr, and compare it with what is known. Scope: full. */
  "sigchain.check": { params: SigchainCheckParams; result: SigchainCopyResult };
  /** The person has looked at the alarm about their own sigchain. Scope: full. */
  "sigchain.dismiss_alarm": { params: SigchainDismissParams; result: Done };
  /** Make a token for another program; a full one waits for a confirmation. Scope: full. */
  "tokens.create": { params: TokenCreateParams; result: TokenCreateResult };
  /** The tokens, without their secrets. Scope: full. */
  "tokens.list": { params: PageParams; result: TokensResult };
  /** End a token, and the connections that have it. Scope: full. */
  "tokens.revoke": { params: TokenRef; result: Done };
  /** The calls that wait for a person's yes. Scope: full. */
  "confirmations.list": { params: Empty; result: ConfirmationsResult };
  /** Say yes or no to one of them. Scope: full. */
  "confirmations.answer": { params: ConfirmationAnswerParams; result: Done };
  /** Which program called what, newest first. Scope: full. */
  "audit.list": { params: PageParams; result: AuditResult };
}

/** Bodies of events, by topic. */
export interface Topics {
  /** Messages: received, sent, seen, and each change of their state. */
  message: MessageEvent;
  /** Conversations as they are now: unread counts, the last message, what is missing. */
  conversation: ConversationEvent;
  /** Contacts, requests of strangers, and alarms about keys. */
  contact: ContactEvent;
  /** The profile's own identity. */
  identity: IdentityEvent;
  /** Proofs that are seen, change or vanish, and snapshots that hold no more. */
  claim: ClaimEvent;
  /** Calls that wait for a person's yes. */
  confirmation: ConfirmationEvent;
  /** Links to the network, as their state changes. */
  link: LinkEvent;
}

/** Parameters of what the daemon says unasked, by method. */
export interface Notifications {
  /** An event of a subscription. */
  event: EventNotice;
  /** A subscription has ended: its reader was too slow. */
  "events.lagged": LaggedNotice;
  /** A subscription has ended: complete, taken over, or forgotten. */
  "events.ended": EndedNotice;
  /** The profile of this connection was opened, locked, or removed. Sent without a subscription. */
  "session.changed": SessionChangedNotice;
  /** The daemon stops. */
  "daemon.stopping": StoppingNotice;
  /** A call of this connection waits for a person's yes. */
  "confirmation.needed": ConfirmationNotice;
  /** How far a call with a `progress_token` is. */
  "$/progress": ProgressNotice;
  /** A method was called that is deprecated. */
  "rpc.deprecated": DeprecatedNotice;
}

/** What went wrong, in one word that stays. */
export type ErrorSlug =
  | "invalid_argument"
  | "not_initialized"
  | "unsupported_api"
  | "unknown_profile"
  | "profile_exists"
  | "profile_in_use"
  | "not_found"
  | "not_a_contact"
  | "no_identity"
  | "identity_exists"
  | "identity_pending"
  | "words_not_confirmed"
  | "wrong_words"
  | "handle_taken"
  | "primary_taken"
  | "not_registered"
  | "request_pending"
  | "blocked"
  | "too_large"
  | "idempotency_conflict"
  | "cannot_replay"
  | "taken_over"
  | "busy"
  | "no_common_version"
  | "cancelled"
  | "forbidden"
  | "confirmation_refused"
  | "credential_needed"
  | "credential_refused"
  | "locked"
  | "wrong_passphrase"
  | "passphrase_needed"
  | "keyring_missing"
  | "keyring_locked"
  | "vault_damaged"
  | "not_running"
  | "home_unreachable"
  | "home_refused"
  | "offline"
  | "rate_limited"
  | "superseded"
  | "foreign_home"
  | "inbox_full"
  | "home_full"
  | "quota"
  | "stopping"
  | "service_unreachable"
  | "key_changed"
  | "chain_fork"
  | "chain_rollback"
  | "chain_invalid"
  | "home_lied"
  | "store_failed"
  | "disk_full"
  | "schema_too_new"
  | "already_running"
  | "unsafe_path"
  | "file_exists"
  | "file_failed"
  | "backup_damaged"
  | "bad_config"
  | "internal";

/** The error of a JSON-RPC answer. */
export interface RpcError {
  code: number;
  message: string;
  data: { slug: ErrorSlug; retryable: boolean; hint: string; retry_after_ms?: number; [detail: string]: unknown };
}

export type MethodName = keyof Methods;
export type Params<M extends MethodName> = Methods[M]["params"];
export type Result<M extends MethodName> = Methods[M]["result"];

/** A client's one function, if it likes to be typed by the table. */
export type Call = <M extends MethodName>(method: M, params: Params<M>) => Promise<Result<M>>;

/** The `params` of an `event` notification, its body typed by its topic. */
export type TopicEvent = {
  [T in keyof Topics]: Omit<EventNotice, "topic" | "event"> & { topic: T; event: Topics[T] };
}[keyof Topics];
