//! What is read in a report: the summary, and the tables of exposures, pointing, parameters and tasks.

use super::markup::text;
use super::{Exposure, Report, Stage, Task};

/// Columns of the table of pointing: the card of a navigated cube, and what it says.
pub const POINTING: [(&str, &str); 9] = [
    ("NAV TARGET", "body"),
    ("NAV RA_OFFSET_SKY", "RA offset on the sky (″)"),
    ("NAV RA_OFFSET_ERR", "error (″)"),
    ("NAV DEC_OFFSET", "Dec offset (″)"),
    ("NAV DEC_OFFSET_ERR", "error (″)"),
    ("NAV ROLL", "roll (°)"),
    ("NAV FIT", "fitted"),
    ("NAV FIT REGIME", "to"),
    ("NAV FIT REASON", "why not"),
];

/// Outcomes in the order of the summary, and how they are said.
const OUTCOMES: [(&str, &str); 6] = [
    ("made", "made"),
    ("current", "up to date"),
    ("skipped", "skipped"),
    ("failed", "failed"),
    ("blocked", "not possible"),
    ("stopped", "stopped"),
];

fn said(outcome: &str) -> &str {
    let known = OUTCOMES.iter().find(|o| o.0 == outcome);
    known.map_or(outcome, |o| o.1)
}

/// A cell that holds a number or a word.
fn cell(value: &str) -> String {
    let number = value.parse::<f64>().is_ok() || value.ends_with('%');
    match number {
        true => format!("<td class=\"n\">{}</td>", text(value)),
        false => format!("<td>{}</td>", text(value)),
    }
}

fn head(columns: &[&str], caption: &str, out: &mut String) {
    begin("", columns, caption, out);
}

/// As [`head`], for a table of numbers behind its first column.
fn head_of_numbers(columns: &[&str], caption: &str, out: &mut String) {
    begin(" class=\"numbers\"", columns, caption, out);
}

fn begin(class: &str, columns: &[&str], caption: &str, out: &mut String) {
    *out += &format!(
        "<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table{class}>\n<caption>{0}</caption>\n<thead><tr>",
        text(caption)
    );
    for c in columns {
        *out += &format!("<th scope=\"col\">{}</th>", text(c));
    }
    *out += "</tr></thead>\n<tbody>\n";
}

const FOOT: &str = "</tbody></table></div>\n";

fn section(id: &str, title: &str, out: &mut String) {
    *out += &format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n"
    );
}

/// A share, with as many digits as say something.
fn percent(share: f64) -> String {
    match share {
        0.0 => "0 %".into(),
        s if s < 1e-4 => format!("{:.4} %", 100.0 * s),
        s => format!("{:.2} %", 100.0 * s),
    }
}

/// How the run went, step by step, and what went wrong.
pub fn summary(report: &Report, out: &mut String) {
    section("summary", "Summary", out);
    if let Some(command) = &report.command {
        *out += &format!("<pre class=\"command\">{}</pre>\n", text(command));
    }
    let mut columns = vec!["step", "tasks"];
    columns.extend(OUTCOMES.iter().map(|o| o.1));
    columns.push("seconds");
    head_of_numbers(&columns, "Tasks by step of the chain", out);
    let mut stages: Vec<&str> = Vec::new();
    for task in &report.tasks {
        if !stages.contains(&task.stage.as_str()) {
            stages.push(&task.stage);
        }
    }
    let row = |name: &str, of: &[&Task]| {
        let mut row = format!("<tr><th scope=\"row\">{}</th>", text(name));
        row += &cell(&of.len().to_string());
        for (outcome, _) in OUTCOMES {
            let n = of.iter().filter(|t| t.outcome == outcome).count();
            let bad = n > 0 && matches!(outcome, "failed" | "blocked");
            match (n, bad) {
                (0, _) => row += "<td class=\"n\"></td>",
                (n, true) => row += &format!("<td class=\"n bad\">{n}</td>"),
                (n, false) => row += &cell(&n.to_string()),
            }
        }
        row += &cell(&format!("{:.1}", of.iter().map(|t| t.seconds).sum::<f64>()));
        row + "</tr>\n"
    };
    for stage in &stages {
        let of: Vec<&Task> = report.tasks.iter().filter(|t| t.stage == *stage).collect();
        *out += &row(stage, &of);
    }
    let all: Vec<&Task> = report.tasks.iter().collect();
    *out += "</tbody>\n<tfoot>\n";
    *out += &row("all", &all);
    *out += "</tfoot></table></div>\n";
    *out += "<p>Seconds are of each task's own in the run that made its products; tasks that ran side by side count twice.</p>\n";
    let bad: Vec<String> =
        report
            .tasks
            .iter()
            .filter(|t| matches!(t.outcome.as_str(), "failed" | "blocked" | "stopped"))
            .map(|t| {
                let why = match t.outcome.as_str() {
                    "blocked" => format!("{} was not made", t.detail),
                    "stopped" => "the run was stopped".into(),
                    _ => t.detail.clone(),
                };
                format!("<li><code>{}</code>: {}</li>\n", text(&t.name), text(&why))
            })
            .chain(report.unreadable.iter().map(|(file, why)| {
                format!("<li><code>{}</code>: {}</li>\n", text(file), text(why))
            }))
            .collect();
    if !bad.is_empty() {
        *out += "<h3>What was not made</h3>\n<ul class=\"bad\">\n";
        bad.iter().for_each(|line| *out += line);
        *out += "</ul>\n";
    }
    for (title, lines) in [("Notes", &report.notes), ("Of this page", &report.remarks)] {
        if !lines.is_empty() {
            *out += &format!("<h3>{title}</h3>\n<ul>\n");
            for line in lines {
                *out += &format!("<li>{}</li>\n", text(line));
            }
            *out += "</ul>\n";
        }
    }
    *out += "</section>\n";
}

/// The quality of exposures.
pub fn exposures(report: &Report, out: &mut String) {
    let all = &report.exposures;
    if all.is_empty() {
        return;
    }
    section("exposures", "Exposures", out);
    let facts: Vec<&str> = all[0].facts.iter().map(|f| f.0.as_str()).collect();
    let mut columns = vec!["exposure"];
    columns.extend(&facts);
    columns.extend(["median rate (DN/s)", "SATURATED", "JUMP_DET", "DO_NOT_USE"]);
    head(&columns, "Count rates of exposures", out);
    for e in all {
        *out += &format!("<tr><th scope=\"row\">{}</th>", text(&e.file));
        for (_, value) in &e.facts {
            *out += &cell(value);
        }
        *out += &cell(&e.median.map_or("none".into(), |m| format!("{m:.4}")));
        for flag in ["SATURATED", "JUMP_DET", "DO_NOT_USE"] {
            *out += &cell(&percent(e.share(flag)));
        }
        *out += "</tr>\n";
    }
    *out += FOOT;
    *out += "<p>Shares are of all pixels of the detector, reference pixels as well. A pixel counts as SATURATED or JUMP_DET where \
any group of any integration was, as in the DQ of <code>_rate</code>. The median is of finite rates without DO_NOT_USE.</p>\n";
    saturation(all, out);
    census(all, out);
    references(all, out);
    *out += "</section>\n";
}

fn saturation(all: &[Exposure], out: &mut String) {
    let mut counts: Vec<usize> = all
        .iter()
        .flat_map(|e| e.saturation.iter().map(|s| s.0))
        .collect();
    counts.sort_unstable();
    counts.dedup();
    *out += "<h3>Saturation by group</h3>\n";
    if all.iter().all(|e| e.saturation.len() < 2) {
        *out += "<p>Not in this run's products: <code>_rate</code> has one flag for all groups. A run with <code>--desaturate</code> \
reduces the first groups alone as well, and shows how the share grows with them.</p>\n";
        return;
    }
    let names: Vec<String> = counts.iter().map(|n| format!("{n} groups")).collect();
    let mut columns = vec!["exposure"];
    columns.extend(names.iter().map(String::as_str));
    head_of_numbers(
        &columns,
        "Pixels that are SATURATED within the first groups",
        out,
    );
    for e in all {
        *out += &format!("<tr><th scope=\"row\">{}</th>", text(&e.file));
        for n in &counts {
            let share = e.saturation.iter().find(|s| s.0 == *n);
            *out += &share.map_or("<td></td>".into(), |s| cell(&percent(s.1)));
        }
        *out += "</tr>\n";
    }
    *out += FOOT;
}

fn census(all: &[Exposure], out: &mut String) {
    let mut flags: Vec<(&str, &str)> = Vec::new();
    for (name, _, what) in crate::model::dq::ALL {
        if all.iter().any(|e| e.flags.iter().any(|f| f.0 == *name)) {
            flags.push((name, what));
        }
    }
    *out += "<details>\n<summary><h3>Flags of the pixels (DQ)</h3></summary>\n";
    let mut columns = vec!["exposure"];
    columns.extend(flags.iter().map(|f| f.0));
    head_of_numbers(&columns, "Share of pixels with each flag", out);
    for e in all {
        *out += &format!("<tr><th scope=\"row\">{}</th>", text(&e.file));
        for (name, _) in &flags {
            *out += &cell(&percent(e.share(name)));
        }
        *out += "</tr>\n";
    }
    *out += FOOT;
    let meanings: Vec<String> = flags
        .iter()
        .map(|(name, what)| format!("{name}: {}", text(what)))
        .collect();
    *out += &format!("<p>{}</p>\n</details>\n", meanings.join(" "));
}

fn references(all: &[Exposure], out: &mut String) {
    *out += "<details>\n<summary><h3>Reference files of exposures</h3></summary>\n";
    for e in all {
        head(&["keyword", "file"], &e.file, out);
        for (key, file) in &e.references {
            *out += &format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n",
                text(key),
                text(file)
            );
        }
        *out += FOOT;
    }
    *out += "</details>\n";
}

/// Offsets of pointing and their errors.
pub fn pointing(report: &Report, out: &mut String) {
    if report.pointing.is_empty() {
        return;
    }
    section("pointing", "Pointing", out);
    let mut columns = vec!["cube"];
    columns.extend(POINTING.iter().map(|p| p.1));
    head(&columns, "Offsets that cubes were navigated with", out);
    for p in &report.pointing {
        *out += &format!("<tr><th scope=\"row\">{}</th>", text(&p.file));
        p.values.iter().for_each(|v| *out += &cell(v));
        *out += "</tr>\n";
    }
    *out += FOOT;
    *out += "<p>From the NAV cards of the cubes. Errors are those of the limb fit (<code>--fit limb</code>), where there was one.</p>\n";
    *out += "</section>\n";
}

/// Parameters and references of the steps.
pub fn stages(report: &Report, out: &mut String) {
    if report.stages.is_empty() {
        return;
    }
    section("parameters", "Parameters and references", out);
    for stage in &report.stages {
        *out += &format!(
            "<details>\n<summary><h3>{}</h3> ({} parameters, {} references)</summary>\n",
            text(&stage.name),
            stage.parameters.len(),
            stage.references.len()
        );
        named(stage, out);
        *out += "</details>\n";
    }
    *out += "</section>\n";
}

fn named(stage: &Stage, out: &mut String) {
    for (caption, column, all) in [
        ("Parameters", "value", &stage.parameters),
        ("References", "file", &stage.references),
    ] {
        if all.is_empty() {
            continue;
        }
        head(
            &["name", column],
            &format!("{caption} of {}", stage.name),
            out,
        );
        for (name, values) in all {
            let values: Vec<String> = values.iter().map(|v| text(v)).collect();
            *out += &format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n",
                text(name),
                values.join("<br>")
            );
        }
        *out += FOOT;
    }
}

/// Every task.
pub fn tasks(report: &Report, out: &mut String) {
    section("tasks", "Tasks", out);
    head(
        &["task", "step", "outcome", "why", "seconds", "products"],
        "All tasks, in order",
        out,
    );
    for t in &report.tasks {
        let class = match t.outcome.as_str() {
            "failed" | "blocked" => " class=\"bad\"",
            _ => "",
        };
        *out += &format!(
            "<tr{class}><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td>",
            text(&t.name),
            text(&t.stage),
            text(said(&t.outcome)),
            text(&t.detail),
        );
        *out += &cell(&format!("{:.2}", t.seconds));
        let products: Vec<String> = t.products.iter().map(|p| text(p)).collect();
        *out += &format!("<td class=\"files\">{}</td></tr>\n", products.join("<br>"));
    }
    *out += FOOT;
    *out += "</section>\n";
}
