//! From RE2's syntax to that of the crate `regex-automata`.
//!
//! Both descend from the same syntax; what differs is written out: classes such as `\w`, which are ASCII in RE2, and
//! what the other side reads as more than itself (`[` and `&&` in classes, `\<`).

use std::iter::Peekable;
use std::str::Chars;

/// Rewrites a regex; `None` where it has something that isn't read here.
pub fn rewritten(re2: &str) -> Option<String> {
    let mut out = String::with_capacity(re2.len() * 2);
    let mut chars = re2.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => escape(&mut chars, &mut out, false)?,
            '[' => class(&mut chars, &mut out)?,
            '{' => repetition(&mut chars, &mut out),
            '}' => out.push_str("\\}"),
            _ => out.push(char),
        }
    }
    Some(out)
}

/// A pair of braces with numbers is a repetition; any other brace stands for itself.
fn repetition(chars: &mut Peekable<Chars>, out: &mut String) {
    let inside: String = chars.clone().take_while(|each| *each != '}').collect();
    let (fewest, most) = inside.split_once(',').unwrap_or((&inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if chars.clone().any(|each| each == '}') && !fewest.is_empty() && digits(fewest) && digits(most) {
        out.push('{');
        out.push_str(&inside);
        out.push('}');
        chars.nth(inside.len());
    } else {
        out.push_str("\\{");
    }
}

fn class(chars: &mut Peekable<Chars>, out: &mut String) -> Option<()> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if chars.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
    loop {
        match chars.next()? {
            ']' => {
                out.push(']');
                return Some(());
            }
            '\\' => escape(chars, out, true)?,
            '[' if chars.peek() == Some(&':') => return None,
            '-' if chars.peek() == Some(&'-') => return None,
            char @ ('[' | '&' | '~') => {
                out.push('\\');
                out.push(char);
            }
            char => out.push(char),
        }
    }
}

fn escape(chars: &mut Peekable<Chars>, out: &mut String, in_class: bool) -> Option<()> {
    let members = |char| match char {
        'w' | 'W' => "0-9A-Za-z_",
        'd' | 'D' => "0-9",
        _ => "\\t\\n\\x0C\\r ",
    };
    match chars.next()? {
        char @ ('w' | 'd' | 's') if in_class => out.push_str(members(char)),
        char @ ('w' | 'd' | 's') => {
            out.push('[');
            out.push_str(members(char));
            out.push(']');
        }
        char @ ('W' | 'D' | 'S') => {
            out.push_str("[^");
            out.push_str(members(char));
            out.push(']');
        }
        char @ ('b' | 'B') if !in_class => {
            out.push_str("(?-u:\\");
            out.push(char);
            out.push(')');
        }
        char @ ('A' | 'z') if !in_class => {
            out.push('\\');
            out.push(char);
        }
        char @ ('n' | 't' | 'r' | 'f' | 'v' | 'a' | 'x' | 'p' | 'P') => {
            out.push('\\');
            out.push(char);
            if matches!(char, 'x' | 'p' | 'P') && chars.next_if_eq(&'{').is_some() {
                out.push('{');
                for inside in chars.by_ref() {
                    out.push(inside);
                    if inside == '}' {
                        break;
                    }
                }
            }
        }
        char if char.is_ascii_punctuation() || char == ' ' => out.push_str(&format!("\\x{{{:x}}}", u32::from(char))),
        _ => return None,
    }
    Some(())
}
