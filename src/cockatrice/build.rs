//! Makes Rust of `messages.schema`: a struct for each message, with its reading and writing by Protocol Buffers (proto2). What
//! they have in common is written by hand in `messages/`. No compiler of protocols is needed on the machine that builds.

#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "this runs when the package is built; what is forbidden is forbidden to the package"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::Path,
};

struct Field {
    label: String,
    kind: String,
    name: String,
    number: u32,
    default: Option<String>,
}

struct Message {
    name: String,
    is_shell: bool,
    fields: Vec<Field>,
}

/// What the schema says.
#[derive(Default)]
struct Schema {
    enums: Vec<(String, Vec<(String, i32)>)>,
    messages: Vec<Message>,
    /// By shell: number and name of each message that it may hold, ascending.
    held: BTreeMap<String, BTreeMap<u32, String>>,
    /// Messages that borrow from what they were read from.
    borrowing: BTreeSet<String>,
}

fn main() {
    println!("cargo::rerun-if-changed=messages.schema");
    println!("cargo::rerun-if-changed=build.rs");
    let text = fs::read_to_string("messages.schema").expect("the schema is beside this file");
    let schema = Schema::read(&text);
    let mut out = String::new();
    for (name, values) in &schema.enums {
        write_enum(&mut out, name, values);
    }
    for message in &schema.messages {
        schema.write_struct(&mut out, message);
        schema.write_impl(&mut out, message);
        if message.is_shell {
            schema.write_body(&mut out, message);
        }
    }
    let folder = env::var_os("OUT_DIR").expect("cargo says where");
    fs::write(Path::new(&folder).join("messages.rs"), out).expect("it can be written");
}

impl Schema {
    fn read(text: &str) -> Schema {
        let mut schema = Schema::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [] => {}
                ["enum", name] => schema.enums.push((name.into(), Vec::new())),
                ["shell", name] => schema.begin(name, true),
                ["message", name] => schema.begin(name, false),
                ["message", name, "in", shell, "=", number] => {
                    let number = number.parse().expect("a number");
                    let held = schema.held.entry(shell.into()).or_default();
                    held.insert(number, name.into());
                    schema.begin(name, false);
                }
                [value, "=", number] => {
                    let number = number.parse().expect("a number");
                    let (_, values) = schema.enums.last_mut().expect("an enum before it");
                    values.push((value.into(), number));
                }
                [label, kind, name, "=", number, ref rest @ ..] => {
                    let message = schema.messages.last_mut().expect("a message before it");
                    message.fields.push(Field {
                        label: label.into(),
                        kind: kind.into(),
                        name: name.into(),
                        number: number.parse().expect("a number"),
                        default: rest.get(1).map(|&value| value.into()),
                    });
                }
                _ => panic!("what is this: {line}"),
            }
        }
        schema.find_borrowing();
        schema
    }

    fn begin(&mut self, name: &str, is_shell: bool) {
        self.messages.push(Message {
            name: name.into(),
            is_shell,
            fields: Vec::new(),
        });
    }

    /// Which messages hold text, in themselves or in what they hold.
    fn find_borrowing(&mut self) {
        loop {
            let before = self.borrowing.len();
            for message in &self.messages {
                let holds = |kind: &str| {
                    matches!(kind, "string" | "bytes") || self.borrowing.contains(kind)
                };
                let held = self.held.get(&message.name).into_iter().flatten();
                let borrows = message.fields.iter().any(|field| holds(&field.kind))
                    || held.into_iter().any(|(_, name)| holds(name));
                if borrows {
                    self.borrowing.insert(message.name.clone());
                }
            }
            if self.borrowing.len() == before {
                return;
            }
        }
    }

    fn is_enum(&self, kind: &str) -> bool {
        self.enums.iter().any(|(name, _)| name == kind)
    }

    fn is_message(&self, kind: &str) -> bool {
        self.messages.iter().any(|message| message.name == kind)
    }

    /// The message's name with its lifetime, if it has one.
    fn of(&self, message: &str) -> String {
        let life = if self.borrowing.contains(message) {
            "<'a>"
        } else {
            ""
        };
        format!("{message}{life}")
    }

    fn rust_type(&self, kind: &str) -> String {
        match kind {
            "string" => "Text<'a>".into(),
            "bytes" => "Octets<'a>".into(),
            "sint32" | "int32" => "i32".into(),
            "uint32" => "u32".into(),
            "uint64" => "u64".into(),
            "int64" => "i64".into(),
            "bool" => "bool".into(),
            "double" => "f64".into(),
            other => self.of(other),
        }
    }

    fn write_struct(&self, out: &mut String, message: &Message) {
        let name = &message.name;
        let _ = writeln!(out, "/// `{name}` of the schema.");
        let _ = writeln!(out, "#[derive(Clone, Debug, Default, PartialEq)]");
        let _ = writeln!(out, "pub struct {} {{", self.of(name));
        for field in &message.fields {
            let kind = self.rust_type(&field.kind);
            let _ = match &field.label[..] {
                "repeated" => writeln!(out, "    pub {}: Vec<{kind}>,", ident(&field.name)),
                _ => writeln!(out, "    pub {}: Option<{kind}>,", ident(&field.name)),
            };
        }
        if message.is_shell {
            let _ = writeln!(
                out,
                "    /// What it holds: the lowest numbered of those that are known."
            );
            let _ = writeln!(out, "    pub body: Option<{name}Body<'a>>,");
        }
        let _ = writeln!(out, "}}");
        let life = if self.borrowing.contains(name) {
            "<'a>"
        } else {
            ""
        };
        let _ = writeln!(out, "impl{life} {} {{", self.of(name));
        for field in message
            .fields
            .iter()
            .filter(|field| field.label != "repeated")
        {
            self.write_accessor(out, field);
        }
        let _ = writeln!(out, "}}");
    }

    /// The value of a scalar field, or its default.
    fn write_accessor(&self, out: &mut String, field: &Field) {
        let (name, default) = (ident(&field.name), field.default.as_deref());
        let _ = match &field.kind[..] {
            "string" => writeln!(
                out,
                "    /// The text, nothing if it is absent; what is not UTF-8 in it is replaced.\n    \
                 pub fn {name}(&self) -> std::borrow::Cow<'_, str> {{ self.{name}.as_ref().map(|text| text.lossy()).unwrap_or_default() }}"
            ),
            "bytes" => writeln!(
                out,
                "    /// The bytes, none if they are absent.\n    \
                 pub fn {name}(&self) -> &[u8] {{ self.{name}.as_ref().map(|bytes| &bytes[..]).unwrap_or_default() }}"
            ),
            kind if self.is_message(kind) => Ok(()),
            kind if self.is_enum(kind) => Ok(()),
            kind => {
                let rust = self.rust_type(kind);
                let default = default.map_or_else(
                    || format!("{rust}::default()"),
                    |value| {
                        if rust == "f64" && !value.contains('.') {
                            format!("{value}.0")
                        } else {
                            value.to_owned()
                        }
                    },
                );
                writeln!(
                    out,
                    "    /// The value, or its default.\n    \
                     pub fn {name}(&self) -> {rust} {{ self.{name}.unwrap_or({default}) }}"
                )
            }
        };
    }

    fn write_impl(&self, out: &mut String, message: &Message) {
        let of = self.of(&message.name);
        let _ = writeln!(out, "impl<'a> Message<'a> for {of} {{");
        self.write_merge(out, message);
        self.write_is_complete(out, message);
        self.write_len(out, message);
        self.write_encode(out, message);
        let _ = writeln!(out, "}}");
    }

    fn write_merge(&self, out: &mut String, message: &Message) {
        let _ = writeln!(
            out,
            "    #[allow(unused_variables)]\n    fn merge(&mut self, bytes: &'a [u8], depth: u32) -> Result<(), Malformed> {{\n        \
             let mut reader = Reader::new(bytes, depth)?;\n        \
             while let Some((number, value)) = reader.next()? {{\n            match (number, value) {{"
        );
        for field in &message.fields {
            self.write_merge_field(out, field);
        }
        if message.is_shell {
            let _ = writeln!(
                out,
                "                (number, Value::Bytes(bytes)) => {}Body::merge_into(&mut self.body, number, bytes, depth + 1)?,",
                message.name
            );
        }
        let _ = writeln!(
            out,
            "                _ => {{}}\n            }}\n        }}\n        Ok(())\n    }}"
        );
    }

    fn write_merge_field(&self, out: &mut String, field: &Field) {
        let (number, name) = (field.number, ident(&field.name));
        let repeated = field.label == "repeated";
        let put = |value: &str| {
            if repeated {
                format!("self.{name}.push({value})")
            } else {
                format!("self.{name} = Some({value})")
            }
        };
        let kind = &field.kind[..];
        let _ = match kind {
            "string" | "bytes" => {
                writeln!(
                    out,
                    "                ({number}, Value::Bytes(bytes)) => {},",
                    put("bytes.into()")
                )
            }
            "double" => writeln!(
                out,
                "                ({number}, Value::Fixed64(bits)) => {},",
                put("f64::from_bits(bits)")
            ),
            _ if self.is_message(kind) && repeated => writeln!(
                out,
                "                ({number}, Value::Bytes(bytes)) => {{ let mut one = {kind}::default(); one.merge(bytes, depth + 1)?; self.{name}.push(one); }}"
            ),
            _ if self.is_message(kind) => writeln!(
                out,
                "                ({number}, Value::Bytes(bytes)) => self.{name}.get_or_insert_default().merge(bytes, depth + 1)?,"
            ),
            _ if self.is_enum(kind) => writeln!(
                out,
                "                ({number}, Value::Varint(value)) => if let Some(value) = {kind}::of(value as i32) {{ {} }},",
                put("value")
            ),
            _ => {
                let read = read_scalar(kind);
                if repeated {
                    let _ = writeln!(
                        out,
                        "                ({number}, Value::Bytes(bytes)) => {{ let mut packed = Packed::new(bytes); while let Some(value) = packed.next()? {{ {} }} }}",
                        put(read)
                    );
                }
                writeln!(
                    out,
                    "                ({number}, Value::Varint(value)) => {},",
                    put(read)
                )
            }
        };
    }

    fn write_is_complete(&self, out: &mut String, message: &Message) {
        let mut all = Vec::new();
        for field in &message.fields {
            let name = ident(&field.name);
            if field.label == "required" {
                all.push(format!("self.{name}.is_some()"));
            }
            if self.is_message(&field.kind) {
                all.push(format!("self.{name}.iter().all(|one| one.is_complete())"));
            }
        }
        if message.is_shell {
            all.push("self.body.iter().all(|body| body.is_complete())".into());
        }
        let all = if all.is_empty() {
            "true".into()
        } else {
            all.join(" && ")
        };
        let _ = writeln!(out, "    fn is_complete(&self) -> bool {{ {all} }}");
    }

    fn write_len(&self, out: &mut String, message: &Message) {
        let mut sum = String::new();
        for field in &message.fields {
            let (name, tag) = (ident(&field.name), tag_len(field.number));
            let one = match &field.kind[..] {
                "string" | "bytes" => format!("{tag} + block_len(one.len())"),
                "double" => format!("{{ let _ = one; {tag} + 8 }}"),
                kind if self.is_message(kind) => format!("{tag} + block_len(one.encoded_len())"),
                kind => format!("{tag} + varint_len({})", self.write_scalar(kind)),
            };
            let _ = writeln!(
                sum,
                "        for one in self.{name}.iter() {{ len += {one}; }}"
            );
        }
        if message.is_shell {
            let _ = writeln!(
                sum,
                "        for body in self.body.iter() {{ len += body.encoded_len(); }}"
            );
        }
        let _ = match sum.is_empty() {
            true => writeln!(out, "    fn encoded_len(&self) -> usize {{ 0 }}"),
            false => writeln!(
                out,
                "    fn encoded_len(&self) -> usize {{\n        let mut len = 0;\n{sum}        len\n    }}"
            ),
        };
    }

    fn write_encode(&self, out: &mut String, message: &Message) {
        let _ = writeln!(
            out,
            "    #[allow(unused_variables)]\n    fn encode(&self, out: &mut Vec<u8>) {{"
        );
        for field in &message.fields {
            let (name, number) = (ident(&field.name), field.number);
            let one = match &field.kind[..] {
                "string" | "bytes" => format!("raw::block(out, {number}, one)"),
                "double" => format!("put_double(out, {number}, *one)"),
                kind if self.is_message(kind) => format!("put_message(out, {number}, one)"),
                kind => format!("raw::number(out, {number}, {})", self.write_scalar(kind)),
            };
            let _ = writeln!(out, "        for one in self.{name}.iter() {{ {one}; }}");
        }
        if message.is_shell {
            let _ = writeln!(
                out,
                "        for body in self.body.iter() {{ body.encode(out); }}"
            );
        }
        let _ = writeln!(out, "    }}");
    }

    /// How the value `one` is written as a varint.
    fn write_scalar(&self, kind: &str) -> &'static str {
        match kind {
            "sint32" => "zigzag(*one)",
            "uint64" => "*one",
            "int64" => "*one as u64",
            "uint32" | "bool" => "u64::from(*one)",
            // int32 and enums: a negative one takes ten bytes
            "int32" => "i64::from(*one) as u64",
            _ => "i64::from(*one as i32) as u64",
        }
    }

    /// What a shell may hold.
    fn write_body(&self, out: &mut String, message: &Message) {
        let (name, held) = (&message.name, &self.held[&message.name]);
        let prefix = common_prefix(name);
        let variant = |of: &str| of.strip_prefix(prefix).unwrap_or(of).to_owned();
        let _ = writeln!(
            out,
            "/// What a [`{name}`] may hold.\n#[derive(Clone, Debug, PartialEq)]\npub enum {name}Body<'a> {{"
        );
        for of in held.values() {
            let _ = writeln!(out, "    {}({}),", variant(of), self.of(of));
        }
        // So that the lifetime is used even where nothing borrows.
        let _ = writeln!(out, "}}\nimpl<'a> {name}Body<'a> {{");
        let _ = writeln!(
            out,
            "    /// Its number in the shell.\n    pub fn number(&self) -> u32 {{\n        match self {{"
        );
        for (number, of) in held {
            let _ = writeln!(out, "            Self::{}(_) => {number},", variant(of));
        }
        let _ = writeln!(out, "        }}\n    }}");
        let _ = writeln!(
            out,
            "    fn merge_into(body: &mut Option<Self>, number: u32, bytes: &'a [u8], depth: u32) -> Result<(), Malformed> {{\n        \
             if body.as_ref().is_some_and(|body| body.number() < number) {{ return Ok(()); }}\n        match number {{"
        );
        for (number, of) in held {
            let variant = variant(of);
            let _ = writeln!(
                out,
                "            {number} => match body {{ Some(Self::{variant}(one)) => one.merge(bytes, depth)?, _ => {{ let mut one = {of}::default(); one.merge(bytes, depth)?; *body = Some(Self::{variant}(one)); }} }},"
            );
        }
        let _ = writeln!(
            out,
            "            _ => {{}}\n        }}\n        Ok(())\n    }}"
        );
        for (head, each, rest) in [
            ("is_complete(&self) -> bool", "one.is_complete()", ""),
            (
                "encoded_len(&self) -> usize",
                "block_len(one.encoded_len())",
                "tag_len(self.number()) + ",
            ),
        ] {
            let _ = writeln!(out, "    fn {head} {{\n        {rest}match self {{");
            for of in held.values() {
                let _ = writeln!(out, "            Self::{}(one) => {each},", variant(of));
            }
            let _ = writeln!(out, "        }}\n    }}");
        }
        let _ = writeln!(
            out,
            "    fn encode(&self, out: &mut Vec<u8>) {{\n        let number = self.number();\n        match self {{"
        );
        for of in held.values() {
            let _ = writeln!(
                out,
                "            Self::{}(one) => put_message(out, number, one),",
                variant(of)
            );
        }
        let _ = writeln!(out, "        }}\n    }}\n}}");
    }
}

/// What all names of those that a shell holds begin with.
fn common_prefix(shell: &str) -> &'static str {
    match shell {
        "Response" => "Response",
        "GameEventContext" => "Context",
        shell if shell.ends_with("Event") => "Event",
        _ => "Command",
    }
}

fn read_scalar(kind: &str) -> &'static str {
    match kind {
        "sint32" => "unzigzag(value)",
        "int32" => "value as i32",
        "uint32" => "value as u32",
        "uint64" => "value",
        "int64" => "value as i64",
        "bool" => "value != 0",
        other => panic!("what is {other}"),
    }
}

fn tag_len(number: u32) -> usize {
    match number {
        0..16 => 1,
        16..2_048 => 2,
        _ => 3,
    }
}

fn ident(name: &str) -> String {
    match name {
        "type" => "r#type".into(),
        name => name.into(),
    }
}

fn write_enum(out: &mut String, name: &str, values: &[(String, i32)]) {
    let _ = writeln!(
        out,
        "/// `{name}` of the schema.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]\npub enum {name} {{"
    );
    for (value, number) in values {
        let _ = writeln!(out, "    {} = {number},", camel(value));
    }
    let _ = writeln!(
        out,
        "}}\nimpl {name} {{\n    /// The value of that number, if there is one.\n    pub fn of(number: i32) -> Option<{name}> {{\n        Some(match number {{"
    );
    for (value, number) in values {
        let _ = writeln!(out, "            {number} => Self::{},", camel(value));
    }
    let _ = writeln!(
        out,
        "            _ => return None,\n        }})\n    }}\n}}"
    );
}

/// `USER_LEFT` as `UserLeft`; what has small letters stays.
fn camel(name: &str) -> String {
    if name.chars().any(char::is_lowercase) {
        return name.into();
    }
    let word = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_owned() + &rest.to_lowercase()
    };
    name.split('_').map(word).collect()
}
