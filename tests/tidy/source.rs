//! What a file says, read as Rust and not as text: its paths, functions, `unsafe` and `unwrap()`, and what is a test.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::{Attribute, ImplItem, Item, TraitItem, UseTree, spanned::Spanned, visit::Visit};

/// A name with `::` in it, or one that is imported.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) line: usize,
    /// A first part that was imported is written out; a glob ends in `*`.
    pub(crate) parts: Vec<String>,
    /// If it is imported only to be handed on: the name that it gets.
    pub(crate) handed_on: Option<String>,
    /// The modules of the file that it stands in.
    pub(crate) within: Vec<String>,
    pub(crate) test: bool,
}

/// A function with a body.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) line: usize,
    pub(crate) name: String,
    /// From `fn` to the closing brace.
    pub(crate) lines: usize,
    pub(crate) test: bool,
}

/// A place in a file.
#[derive(Debug)]
pub(crate) struct Spot {
    pub(crate) line: usize,
    pub(crate) test: bool,
}

/// Everything that rules are about.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) paths: Vec<Path>,
    pub(crate) functions: Vec<Function>,
    pub(crate) unsafes: Vec<Spot>,
    pub(crate) unwraps: Vec<Spot>,
    /// Files that are modules of this one for tests only, by their names.
    pub(crate) test_modules: Vec<String>,
    /// First parts of all paths outside tests that are no imports.
    pub(crate) words: BTreeSet<String>,
    imported: BTreeMap<String, Vec<String>>,
    /// The import that is being read is seen outside the file.
    public: bool,
    within: Vec<String>,
    owner: Option<String>,
    test: bool,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It is not Rust: where, and what is wrong.
    pub(crate) fn read(text: &str) -> Result<Source, (usize, String)> {
        let file = syn::parse_file(text)
            .map_err(|error| (error.span().start().line, error.to_string()))?;
        let mut source = Source {
            test: is_for_tests(&file.attrs),
            ..Source::default()
        };
        source.visit_file(&file);
        for path in &mut source.paths {
            if let Some(full) = source.imported.get(&path.parts[0]) {
                path.parts.splice(..1, full.iter().cloned());
            }
        }
        Ok(source)
    }

    fn path(&mut self, span: Span, parts: Vec<String>) {
        if let [.., owner, last] = &parts[..]
            && last == "unwrap"
            && matches!(&**owner, "Option" | "Result")
        {
            self.unwrap(span);
        }
        self.paths.push(Path {
            line: span.start().line,
            parts,
            handed_on: None,
            within: self.within.clone(),
            test: self.test,
        });
    }

    fn spot(&self, span: Span) -> Spot {
        Spot {
            line: span.start().line,
            test: self.test,
        }
    }

    fn unwrap(&mut self, span: Span) {
        let spot = self.spot(span);
        self.unwraps.push(spot);
    }

    fn is_unsafe(&mut self, span: Option<Span>) {
        if let Some(span) = span {
            let spot = self.spot(span);
            self.unsafes.push(spot);
        }
    }

    fn function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.fn_token.span().start().line;
        let name = signature.ident.to_string();
        self.functions.push(Function {
            line: first,
            name: match &self.owner {
                Some(owner) => format!("{owner}::{name}"),
                None => name,
            },
            lines: body.brace_token.span.close().end().line - first + 1,
            test: self.test,
        });
    }

    fn import(&mut self, span: Span, name: String, full: Vec<String>) {
        self.path(span, full.clone());
        if self.public
            && let Some(path) = self.paths.last_mut()
        {
            path.handed_on = Some(name.clone());
        }
        // A module's own name for itself would be written out for ever.
        if full.first() != Some(&name) {
            self.imported.insert(name, full);
        }
    }

    fn word(&mut self, word: &syn::Ident) {
        if !self.test {
            self.words.insert(word.to_string());
        }
    }

    fn use_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.use_tree(&with(path.ident.to_string()), &path.tree),
            UseTree::Name(name) if name.ident == "self" => {
                let name = before.last().cloned().unwrap_or_default();
                self.import(tree.span(), name, before.to_vec());
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.import(tree.span(), name.clone(), with(name));
            }
            UseTree::Rename(name) => {
                let full = match name.ident == "self" {
                    true => before.to_vec(),
                    false => with(name.ident.to_string()),
                };
                self.import(tree.span(), name.rename.to_string(), full);
            }
            UseTree::Glob(glob) => self.path(glob.span(), with("*".into())),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(before, tree);
                }
            }
        }
    }

    /// What stands in a macro is not parsed: paths and words are enough.
    fn tokens(&mut self, before: &[String], tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let colons = |at: usize| {
            let colon = |tree: Option<&TokenTree>| matches!(tree, Some(TokenTree::Punct(p)) if p.as_char() == ':');
            colon(tokens.get(at)) && colon(tokens.get(at + 1))
        };
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(before, group.stream()),
                TokenTree::Ident(word) if word == "unsafe" => self.is_unsafe(Some(word.span())),
                TokenTree::Ident(word) => {
                    self.word(word);
                    let (span, mut parts) = (word.span(), before.to_vec());
                    parts.push(word.to_string());
                    let dotted = at > 0
                        && matches!(&tokens[at - 1], TokenTree::Punct(p) if p.as_char() == '.');
                    let empty = |tree: &TokenTree| matches!(tree, TokenTree::Group(g) if g.stream().is_empty());
                    if dotted && word == "unwrap" && tokens.get(at + 1).is_some_and(empty) {
                        self.unwrap(span);
                    }
                    while colons(at + 1) {
                        match tokens.get(at + 3) {
                            Some(TokenTree::Ident(next)) => parts.push(next.to_string()),
                            Some(TokenTree::Group(group))
                                if group.delimiter() == Delimiter::Brace =>
                            {
                                self.tokens(&parts, group.stream());
                            }
                            _ => break,
                        }
                        at += 3;
                    }
                    if parts.len() > 1 {
                        self.path(span, parts);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Goes on within something that has attributes.
    fn under(&mut self, attributes: &[Attribute], go_on: impl FnOnce(&mut Self)) {
        let outside = self.test;
        self.test |= is_for_tests(attributes);
        go_on(self);
        self.test = outside;
    }
}

impl<'a> Visit<'a> for Source {
    fn visit_item(&mut self, item: &'a Item) {
        self.under(attributes(item), |this| syn::visit::visit_item(this, item));
    }

    fn visit_impl_item(&mut self, item: &'a ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs[..],
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        self.under(attributes, |this| {
            syn::visit::visit_impl_item(this, item);
        });
    }

    fn visit_trait_item(&mut self, item: &'a TraitItem) {
        let attributes = match item {
            TraitItem::Const(item) => &item.attrs[..],
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            _ => &[],
        };
        self.under(attributes, |this| {
            syn::visit::visit_trait_item(this, item);
        });
    }

    fn visit_field(&mut self, field: &'a syn::Field) {
        self.under(&field.attrs, |this| syn::visit::visit_field(this, field));
    }

    fn visit_local(&mut self, local: &'a syn::Local) {
        self.under(&local.attrs, |this| syn::visit::visit_local(this, local));
    }

    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        let name = module.ident.to_string();
        if module.content.is_none() && self.test {
            self.test_modules.push(name.clone());
        }
        self.within.push(name);
        syn::visit::visit_item_mod(self, module);
        self.within.pop();
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.public = !matches!(item.vis, syn::Visibility::Inherited);
        self.use_tree(&[], &item.tree);
        self.public = false;
    }

    fn visit_item_extern_crate(&mut self, item: &'a syn::ItemExternCrate) {
        let name = item.ident.to_string();
        if let Some((_, rename)) = &item.rename {
            self.imported.insert(rename.to_string(), vec![name.clone()]);
        }
        self.path(item.ident.span(), vec![name]);
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.function(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig, body);
        }
        syn::visit::visit_trait_item_fn(self, item);
    }

    fn visit_signature(&mut self, signature: &'a syn::Signature) {
        self.is_unsafe(signature.unsafety.map(|word| word.span));
        syn::visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        self.is_unsafe(item.unsafety.map(|word| word.span));
        let owner = match &*item.self_ty {
            syn::Type::Path(of) => of.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        let outer = std::mem::replace(&mut self.owner, owner);
        syn::visit::visit_item_impl(self, item);
        self.owner = outer;
    }

    fn visit_item_trait(&mut self, item: &'a syn::ItemTrait) {
        self.is_unsafe(item.unsafety.map(|word| word.span));
        let outer = self.owner.replace(item.ident.to_string());
        syn::visit::visit_item_trait(self, item);
        self.owner = outer;
    }

    fn visit_item_foreign_mod(&mut self, item: &'a syn::ItemForeignMod) {
        self.is_unsafe(item.unsafety.map(|word| word.span));
        syn::visit::visit_item_foreign_mod(self, item);
    }

    fn visit_expr_unsafe(&mut self, block: &'a syn::ExprUnsafe) {
        self.is_unsafe(Some(block.unsafe_token.span));
        syn::visit::visit_expr_unsafe(self, block);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        if call.method == "unwrap" && call.args.is_empty() {
            self.unwrap(call.method.span());
        }
        syn::visit::visit_expr_method_call(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'a Attribute) {
        if attribute.path().is_ident("unsafe") {
            self.is_unsafe(Some(attribute.path().span()));
        }
        syn::visit::visit_attribute(self, attribute);
    }

    /// Where something may be seen is not something that is used.
    fn visit_visibility(&mut self, _: &'a syn::Visibility) {}

    fn visit_path(&mut self, path: &'a syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.word(&path.segments[0].ident);
        if parts.len() > 1 {
            self.path(path.span(), parts);
        }
        syn::visit::visit_path(self, path);
    }

    /// Of macros, of attributes, and of what syn does not know.
    fn visit_token_stream(&mut self, tokens: &'a TokenStream) {
        self.tokens(&[], tokens.clone());
    }
}

/// `#[test]`, `#[tokio::test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("cfg") {
            let condition = attribute.meta.require_list();
            let condition = condition.map(|list| list.tokens.to_string());
            let mut words = condition.iter().flat_map(|text| {
                text.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .map(str::to_owned)
            });
            let (mut test, mut not) = (false, false);
            words.by_ref().for_each(|word| {
                test |= word == "test";
                not |= word == "not";
            });
            return test && !not;
        }
        path.segments
            .last()
            .is_some_and(|last| last.ident == "test")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
