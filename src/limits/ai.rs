//! The limits of the chat, of models and of the assistant.

use std::time::Duration;

// --- chat ---

/// Length of a message, in bytes; what is longer is a file.
pub const MESSAGE_BYTES: usize = 32 * 1024;
/// What may be attached to one message.
pub const ATTACHMENTS: usize = 10;
/// Length of one attachment as JSON, in bytes: a selection's two anchors and the text between them.
pub const ATTACHMENT_BYTES: usize = 6 * 1024;
/// Mentions that are looked up in one message; further ones are text.
pub const MENTIONS: usize = 20;
/// Length of a client's own name for a message, in bytes.
pub const MESSAGE_KEY_BYTES: usize = 64;
/// Length of the name of whom a message is meant for, in bytes.
pub const MESSAGE_TO_BYTES: usize = 255;
/// Members whose names are looked for in a message.
pub const MENTIONABLE: i64 = 500;
/// Conversations of one project; all of them are one list.
pub const CONVERSATIONS: i64 = 500;
/// Messages of a conversation that is taken in.
pub const IMPORTED_MESSAGES: usize = 10_000;
/// The body of such a request, in bytes: as many messages of some sentences.
pub const IMPORTED_BYTES: usize = 16 * 1024 * 1024;
/// Messages that are written by one statement; seven values each, of which an engine takes 32,766.
pub const IMPORT_ROWS: usize = 1_000;
/// Messages that an export reads at once.
pub const EXPORT_PAGE: i64 = 200;

// --- models ---

/// How long connecting to a model's server may take.
pub const MODEL_CONNECT: Duration = Duration::from_secs(10);
/// How long a model's server may take before an answer begins; a large prompt on a small machine takes a minute.
pub const MODEL_FIRST_BYTE: Duration = Duration::from_secs(120);
/// How long an answer may pause.
pub const MODEL_IDLE: Duration = Duration::from_secs(60);
/// Length of one answer, in bytes, calls included; far more than anyone reads, and what a model run wild may cost.
pub const MODEL_ANSWER_BYTES: usize = 1024 * 1024;
/// Length of one event of an answer's stream, in bytes; a server that sends a whole answer at once sends that many.
pub const MODEL_EVENT_BYTES: usize = 2 * MODEL_ANSWER_BYTES;
/// Tools that one answer may call.
pub const MODEL_CALLS: usize = 32;
/// What is read of a refusal, in bytes.
pub const MODEL_REFUSAL_BYTES: usize = 16 * 1024;
/// The body of an answer that is a picture, in bytes: the largest file of a project in base64, and what stands around it.
pub const MODEL_PICTURE_BYTES: usize = crate::limits::BLOB_BYTES / 3 * 4 + 64 * 1024;
/// How long what is asked outside of conversations waits for a place among the requests to models that are open.
pub const MODEL_PLACE_WAIT: Duration = Duration::from_secs(10);
/// Tokens that a model is taken to read and write at once when the settings do not say; the smallest that are common.
pub const MODEL_CONTEXT_TOKENS: u32 = 8_192;

// --- the assistant ---

/// Answers that one person may ask for in a minute.
pub const ASSISTANT_RUNS_PER_MINUTE: u32 = 3;
/// How long those are counted together.
pub const ASSISTANT_RATE_WINDOW: Duration = Duration::from_secs(60);
/// Answers, completions, analyses and pictures that are given at once by one server; each holds a connection to a model's
/// server.
pub const ASSISTANT_RUNS: usize = 16;
/// Answers that wait in one conversation, behind the one that is being given.
pub const ASSISTANT_QUEUE: usize = 8;
/// How often a model may be asked for one answer, tools between; more is going round in circles.
pub const ASSISTANT_ROUNDS: usize = 8;
/// How long one answer may take, tools included.
pub const ASSISTANT_TIME: Duration = Duration::from_secs(5 * 60);
/// Length of one answer, in bytes; twice what a person may write.
pub const ASSISTANT_ANSWER_BYTES: usize = 2 * MESSAGE_BYTES;
/// Tokens of one answer, where the model reads and writes that many at once; a quarter of it otherwise.
pub const ASSISTANT_ANSWER_TOKENS: u32 = 4_096;
/// Pause between two tellings of a text that is being written: what comes in between is told together.
pub const ASSISTANT_TELL: Duration = Duration::from_millis(50);
/// How often the text so far is stored, for the case that the server ends.
pub const ASSISTANT_KEEP: Duration = Duration::from_secs(1);
/// How often a server says that it still gives its answers, and looks for those of others that do not.
pub const ASSISTANT_BEAT: Duration = Duration::from_secs(2);
/// After so long unsaid, an answer is taken to have been broken off.
pub const ASSISTANT_LOST: Duration = Duration::from_secs(8);
/// How old a message may be that is answered; who asked before that is told to ask again.
pub const ASSISTANT_LATE: Duration = Duration::from_secs(30);
/// How often a server looks for what no server has heard: what was said just before one was killed.
pub const ASSISTANT_MISSED: Duration = Duration::from_secs(30);
/// Projects that are looked at for that at once; the others come next time.
pub const ASSISTANT_MISSED_PROJECTS: i64 = 1_000;
/// Projects that are listened to at once; each reads the database a few times for a message.
pub const ASSISTANT_LOOKS: usize = 16;
/// Projects whose place in their feeds is remembered; that of others is read from the database.
pub const ASSISTANT_PROJECTS: usize = 10_000;
/// How often the end of an answer is stored anew while the database is away; after that others find it broken off.
pub const ASSISTANT_END_TRIES: u32 = 10;
/// Pause between those.
pub const ASSISTANT_END_RETRY: Duration = Duration::from_secs(1);
/// How often it is counted what a model has written, so that one that writes on is ended.
pub const ASSISTANT_COUNT: Duration = Duration::from_millis(100);
/// Tokens of an answer at least; with less left of a budget or of a model's window nothing is asked.
pub const ASSISTANT_LEAST_TOKENS: u32 = 16;
/// Tokens that the result of a call has at least; calls for which there are fewer are not carried out.
pub const ASSISTANT_LEAST_RESULT: usize = 64;
/// How long ended runs are kept: longer than they are counted together.
pub const ASSISTANT_RUNS_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Days for which is kept what counts against their budgets: today, and what clocks of servers may differ by.
pub const ASSISTANT_ACCOUNT_DAYS: i64 = 2;
/// Messages that are looked through for what was said before, the latest.
pub const ASSISTANT_HISTORY: i64 = 200;
/// Messages that are left as they were said when those before them are told in short.
pub const ASSISTANT_VERBATIM: usize = 8;
/// Requests by which what was said before is told in short, where it cannot be read at once; what is before it is left out.
pub const ASSISTANT_SUMMARIES: usize = 4;
/// Tokens of what was said before in short.
pub const ASSISTANT_SUMMARY_TOKENS: u32 = 500;
/// What is kept of a summary, in bytes, whatever a model says: four times what it is asked for.
pub const ASSISTANT_SUMMARY_BYTES: usize = 8 * 1024;
/// Files that a model is told of without asking.
pub const ASSISTANT_TREE: usize = 200;
/// Tokens of one result of a tool, where a model reads that many at once; an eighth of it otherwise.
pub const ASSISTANT_RESULT_TOKENS: usize = 4_000;
/// What of a name is repeated that is no tool's, in characters.
pub const TOOL_NAME_CHARS: usize = 64;
/// Events of a file's history that a tool answers.
pub const ASSISTANT_EVENTS: i64 = 30;
/// Files that one proposal of the assistant is about.
pub const ASSISTANT_PROPOSED_FILES: usize = 20;
/// Length of its summary, in characters.
pub const ASSISTANT_SUMMARY_CHARS: usize = 150;
/// The same of its reasons.
pub const ASSISTANT_RATIONALE_CHARS: usize = 2_000;
/// Personas among a project's files.
pub const PERSONAS: i64 = 20;
/// Length of a persona's file, in UTF-16 units.
pub const PERSONA_FILE_UNITS: usize = 8_000;
/// Length of a persona's name and of what it says of itself, in characters.
pub const PERSONA_CHARS: usize = 120;
/// Words of a request that call for a persona.
pub const PERSONA_WORDS: usize = 40;
/// Length of what is asked outside of a conversation, in bytes; a model's window is often less.
pub const COMPLETION_BYTES: usize = 256 * 1024;
/// Length of what a picture is asked for with, in characters: what DALL·E 3 reads of it.
pub const PICTURE_CHARS: usize = 4_000;
/// Tokens that a picture counts as where its server counts none, and that are set aside for it: a square one of high quality,
/// as OpenAI counts.
pub const PICTURE_TOKENS: u32 = 4_160;
/// Tokens that one exchange with a model is taken to have had at most: a thousand times what any model reads. Servers may say
/// any number.
pub const EXCHANGE_TOKENS: u64 = 1_000_000_000;
/// Sides of a picture, in points.
pub const PICTURE_POINTS: std::ops::RangeInclusive<u32> = 16..=4_096;
/// What of its words a picture is called by, in characters.
pub const PICTURE_NAME_CHARS: usize = 40;
/// Pictures that the assistant makes for one answer.
pub const ASSISTANT_PICTURES: usize = 2;
/// How often an event is heard that cannot be; then it is let pass.
pub const ASSISTANT_HEAR_TRIES: u32 = 5;
/// For how long, where what keeps it from being heard may pass, such as a full disk.
pub const ASSISTANT_HEAR_TIME: Duration = Duration::from_secs(10 * 60);
/// Findings of each kind in the analysis of a file.
pub const ANALYSIS_FINDINGS: usize = 50;
/// Length of one of them, in characters.
pub const ANALYSIS_CHARS: usize = 1_000;
/// Files that people have open and that are read for an answer.
pub const ASSISTANT_OPEN_FILES: usize = 3;
/// Days of usage that are told at most.
pub const USAGE_DAYS: i64 = 366;
/// Rows of usage that are told at most.
pub const USAGE_ROWS: i64 = 5_000;
