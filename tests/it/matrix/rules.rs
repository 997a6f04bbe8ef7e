//! Who there is, and who each operation is for.

use serde_json::{Value, json};

/// Who asks, from those who may least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Shows nothing.
    Nobody,
    /// Shows a login that has ended.
    Expired,
    /// Shows a project token of an editor's that has expired.
    ExpiredToken,
    /// Shows an API key of an editor's that has expired.
    ExpiredKey,
    /// Signed in, and no member.
    Stranger,
    /// Was an editor until a moment ago.
    Removed,
    Viewer,
    Commenter,
    Editor,
    Owner,
}

pub(super) const EVERYBODY: [Who; 10] = [
    Who::Nobody,
    Who::Expired,
    Who::ExpiredToken,
    Who::ExpiredKey,
    Who::Stranger,
    Who::Removed,
    Who::Viewer,
    Who::Commenter,
    Who::Editor,
    Who::Owner,
];

impl Who {
    /// Whether they are members.
    pub(super) fn role(self) -> Option<&'static str> {
        match self {
            Self::Viewer => Some("viewer"),
            Self::Commenter => Some("commenter"),
            Self::Editor | Self::Removed => Some("editor"),
            Self::Nobody | Self::Expired | Self::ExpiredToken | Self::ExpiredKey | Self::Stranger | Self::Owner => None,
        }
    }

    /// Whether nobody is known by what they show.
    pub(super) fn is_unknown(self) -> bool {
        self < Self::Stranger
    }
}

/// Who an operation is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum For {
    /// Anybody at all.
    Everybody,
    /// Anybody who is signed in.
    SignedIn,
    /// Members from this one on; to others the project does not exist.
    Members(Who),
    /// Members from this one on, who are told that no model is connected here.
    Asking(Who),
    /// Nobody here: they are no operators, and it does not exist for them.
    Operators,
}

/// A rule for each operation: who it is for, and the body it needs.
pub(super) fn rule(operation: &str) -> Option<(For, Option<Value>)> {
    use Who::{Commenter, Editor, Owner, Viewer};
    let members = |least| Some((For::Members(least), None));
    let sent = |least, body| Some((For::Members(least), Some(body)));
    match operation {
        "healthz" | "readyz" | "metrics" | "ways_in" | "sign_out" => Some((For::Everybody, None)),
        "sign_in_at_terminal" => Some((For::Everybody, Some(json!({ "token": "x", "name": "x" })))),
        "sign_in_as_guest" => Some((For::Everybody, Some(json!({ "name": "New" })))),
        "me" | "list_projects" | "list_deleted_projects" | "list_keys" | "list_logins" => Some((For::SignedIn, None)),
        "create_project" => Some((For::SignedIn, Some(json!({ "name": "More" })))),
        "create_key" => Some((For::SignedIn, Some(json!({ "name": "a bot", "scopes": ["read"] })))),
        // What is somebody's own, which others' ids do not name; and what ends the login that asks. Each has tests of
        // its own, and here only: nobody does it without being signed in.
        "revoke_key" | "end_login" | "end_logins" | "accept_invite" | "restore_project" => Some((For::SignedIn, None)),
        // Answers with a page or leads elsewhere; `sign_in` plays it against GitHub.
        "sign_in_with_github" | "github_callback" => Some((For::Everybody, None)),
        "get_project" | "list_documents" | "get_document" | "read_update" | "read_text" | "read_root" | "search"
        | "list_members" | "read_feed" | "export_project" | "list_sessions" | "list_blobs" | "get_blob"
        | "list_messages" | "get_message" | "search_messages" | "export_messages" | "list_conversations"
        | "list_proposals" | "get_proposal" | "read_trust" => members(Viewer),
        "list_personas" | "get_summary" => members(Viewer),
        "read_usage" | "stop_message" | "retry_message" | "delete_summary" => members(Editor),
        "list_models" | "list_templates" => Some((For::SignedIn, None)),
        "read_analysis" => members(Viewer),
        "analyse_document" => Some((For::Asking(Editor), Some(json!({})))),
        "complete" | "make_image" => Some((For::Asking(Editor), Some(json!({ "prompt": "hello" })))),
        "mark_read" => sent(Viewer, json!({ "seq": 1 })),
        "post_message" => sent(Commenter, json!({ "body": "hello" })),
        "edit_message" => sent(Commenter, json!({ "body": "other" })),
        "delete_message" => members(Commenter),
        "create_conversation" => sent(Commenter, json!({ "title": "About" })),
        "import_conversation" => {
            sent(Commenter, json!({ "title": "Old", "messages": [{ "author": { "name": "Ann" }, "body": "hello" }] }))
        }
        "change_conversation" => sent(Commenter, json!({ "title": "Other" })),
        "tell_typing" => sent(Commenter, json!({})),
        "issue_token" => sent(Viewer, json!({})),
        // Everybody may leave, and only owners remove others.
        "remove_member" => members(Owner),
        "put_blob" => sent(Commenter, Value::Null),
        "create_document" => sent(Editor, json!({ "path": "new", "content": "text" })),
        "rename_document" => sent(Editor, json!({ "path": "elsewhere" })),
        "change_documents" => sent(Editor, json!({ "operations": [{ "op": "create", "path": "new" }] })),
        "write_update" | "write_text" | "import_files" => sent(Editor, Value::Null),
        "delete_document" | "delete_blob" | "undo_proposal" => members(Editor),
        "create_proposal" => {
            sent(Commenter, json!({ "summary": "More", "files": [{ "op": "create", "path": "new" }] }))
        }
        "vote_on_proposal" => sent(Commenter, json!({ "value": 1 })),
        // Only who proposed it, who owns the project here.
        "revise_proposal" => sent(Owner, json!({ "summary": "Other" })),
        "accept_proposal" | "reject_proposal" => sent(Editor, json!({})),
        "list_invites" | "delete_invite" | "list_audit" | "delete_project" => members(Owner),
        "change_project" => sent(Owner, json!({ "name": "Other" })),
        "add_member" => Some((For::Members(Owner), Some(Value::Null))),
        "change_member" => sent(Owner, json!({ "role": "viewer" })),
        "create_invite" => sent(Owner, json!({ "role": "viewer" })),
        "transfer" => Some((For::Members(Owner), Some(Value::Null))),
        "admin_change_user" => Some((For::Operators, Some(json!({ "suspended": true })))),
        "admin_set_quotas" => Some((For::Operators, Some(json!({ "documents_max": 1 })))),
        "admin_quarantine" => Some((For::Operators, Some(json!({ "reason": "because" })))),
        "admin_list_users"
        | "admin_list_projects"
        | "admin_delete_project"
        | "admin_restore_project"
        | "admin_list_documents"
        | "admin_release"
        | "admin_list_audit" => Some((For::Operators, None)),
        _ => None,
    }
}
