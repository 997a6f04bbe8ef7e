//! What a project can begin with: a few small files that show how work of a kind is laid out. They are compiled in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A file as a project begins with it: its path and its text.
type File = (&'static str, &'static str);

/// What a project begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// No files.
    #[default]
    Blank,
    /// A page of HTML, CSS and JavaScript.
    Page,
    /// Markdown notes of a team.
    Notes,
    /// A Python script with its tests.
    Python,
    /// A Rust program with its tests.
    Rust,
    /// Tables, rows and questions in SQL.
    Sql,
    /// A minute in the product itself.
    Tour,
}

/// A template as somebody sees it who is to choose one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct TemplateView {
    id: Template,
    #[schema(example = "Web page")]
    name: &'static str,
    /// What it is for, in a sentence.
    about: &'static str,
    /// The paths of its files.
    files: Vec<&'static str>,
    /// Which of them one begins in.
    #[schema(required)]
    opens: Option<&'static str>,
}

impl Template {
    const ALL: [Self; 7] = [Self::Blank, Self::Page, Self::Notes, Self::Python, Self::Rust, Self::Sql, Self::Tour];

    /// All there are, in the order to show them.
    pub(super) fn all() -> Vec<TemplateView> {
        Self::ALL.into_iter().map(Self::view).collect()
    }

    fn view(self) -> TemplateView {
        let (name, about) = self.words();
        let files: Vec<_> = self.files().iter().map(|(path, _)| *path).collect();
        TemplateView { id: self, name, about, opens: files.first().copied(), files }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Blank => ("Blank", "No files yet."),
            Self::Page => ("Web page", "HTML, CSS and JavaScript, with a live preview."),
            Self::Notes => ("Notes", "Markdown for a team: an agenda and what was decided."),
            Self::Python => ("Python", "A script and its tests."),
            Self::Rust => ("Rust", "A program and its tests."),
            Self::Sql => ("SQL", "Tables, some rows, and questions to them."),
            Self::Tour => ("Tour", "See what can be done here, in a minute."),
        }
    }

    /// Its files; the first is the one to begin in.
    pub(super) fn files(self) -> &'static [File] {
        match self {
            Self::Blank => &[],
            Self::Page => &[
                ("index.html", include_str!("page/index.html")),
                ("style.css", include_str!("page/style.css")),
                ("script.js", include_str!("page/script.js")),
            ],
            Self::Notes => &[
                ("README.md", include_str!("notes/README.md")),
                ("meeting.md", include_str!("notes/meeting.md")),
                ("decisions.md", include_str!("notes/decisions.md")),
            ],
            Self::Python => &[
                ("main.py", include_str!("python/main.py")),
                ("test_main.py", include_str!("python/test_main.py")),
                ("README.md", include_str!("python/README.md")),
            ],
            // Named so that no tool takes them for parts of this program.
            Self::Rust => &[
                ("src/main.rs", include_str!("rust/main.rs.txt")),
                ("Cargo.toml", include_str!("rust/Cargo.toml.txt")),
                ("README.md", include_str!("rust/README.md")),
            ],
            Self::Sql => &[
                ("questions.sql", include_str!("sql/questions.sql")),
                ("schema.sql", include_str!("sql/schema.sql")),
                ("data.sql", include_str!("sql/data.sql")),
            ],
            Self::Tour => &[
                ("README.md", include_str!("tour/README.md")),
                ("recipe.md", include_str!("tour/recipe.md")),
                ("page/index.html", include_str!("tour/page/index.html")),
                ("page/style.css", include_str!("tour/page/style.css")),
                ("page/script.js", include_str!("tour/page/script.js")),
            ],
        }
    }
}
