//! Decks that are stored (spec: cockatrice-behaviour 11, 18.2, 18.3).

use std::collections::HashMap;

use bytes::Bytes;
use cockatrice::{
    deck::{self, Deck, Refused},
    messages::{
        ResponseBody, ResponseCode, ResponseDeckDownload, ResponseDeckList, ResponseDeckUpload,
        ServerInfoDeckStorageFile, ServerInfoDeckStorageFolder, ServerInfoDeckStorageTreeItem,
    },
};
use lobby::{
    cockatrice::questions::{AskDecks, DeckForGame, DeckRequest, Outcome},
    question::{Answers, StoreFailure},
};

use super::{
    CockatriceHandler,
    handler::settled,
    store::{File, Folder, MOST_DECKS},
};
use crate::{store::StoreError, unix_now};

/// Folders in folders, at most: those who read them go down one by one.
const DEPTH: usize = 64;

impl Answers<AskDecks> for CockatriceHandler {
    async fn answer(&self, AskDecks { owner, request }: AskDecks) -> Outcome {
        settled(self.decks(owner, request).await)
    }
}

impl Answers<DeckForGame> for CockatriceHandler {
    async fn answer(
        &self,
        DeckForGame { owner, id }: DeckForGame,
    ) -> Result<Option<Bytes>, StoreFailure> {
        let deck = self.store.deck(owner, id.into()).await?;
        Ok(deck.map(Bytes::from))
    }
}

impl CockatriceHandler {
    async fn decks(&self, owner: u32, request: DeckRequest) -> Result<Outcome, StoreError> {
        let unknown = || Ok(Outcome::code(ResponseCode::RespNameNotFound));
        let done = |done| match done {
            true => Ok(Outcome::ok()),
            false => Ok(Outcome::code(ResponseCode::RespNameNotFound)),
        };
        match request {
            DeckRequest::List => self.list_decks(owner).await,
            DeckRequest::NewFolder { path, name } => {
                let folders = self.store.folders(owner).await?;
                let Some(parent) = folder_at(&folders, &path) else {
                    return unknown();
                };
                let Some(name) = deck::folder_name(&path, &name) else {
                    return Ok(Outcome::code(ResponseCode::RespContextError));
                };
                let is_deep = deck::folders(&path).len() >= DEPTH;
                if is_deep || self.store.decks_of(owner).await? >= MOST_DECKS {
                    return Ok(Outcome::code(ResponseCode::RespContextError));
                }
                self.store.new_folder(owner, parent, &name).await?;
                Ok(Outcome::ok())
            }
            DeckRequest::DeleteFolder(path) => {
                let folders = self.store.folders(owner).await?;
                match folder_at(&folders, &path) {
                    None | Some(0) => unknown(),
                    Some(folder) => {
                        self.store.delete_folder(owner, folder).await?;
                        Ok(Outcome::ok())
                    }
                }
            }
            DeckRequest::Upload { path, id, deck } => self.upload(owner, path, id, deck).await,
            DeckRequest::Download(id) => match self.store.deck(owner, id.into()).await? {
                Some(text) => Ok(self.download(text).await),
                None => unknown(),
            },
            DeckRequest::Delete(id) => done(self.store.delete_deck(owner, id.into()).await?),
        }
    }

    async fn list_decks(&self, owner: u32) -> Result<Outcome, StoreError> {
        let folders = self.store.folders(owner).await?;
        let files = self.store.files(owner).await?;
        let root = Tree::of(&folders, &files).folder(0, 0);
        Ok(Outcome::with(ResponseBody::DeckList(ResponseDeckList {
            root: Some(root),
        })))
    }

    async fn upload(
        &self,
        owner: u32,
        path: Option<Box<str>>,
        id: Option<u32>,
        deck: Bytes,
    ) -> Result<Outcome, StoreError> {
        let Some((name, text)) = read(deck).await else {
            return Ok(Outcome::code(ResponseCode::RespContextError));
        };
        let unknown = || Ok(Outcome::code(ResponseCode::RespNameNotFound));
        let id = match (path, id) {
            (Some(path), _) => {
                let folders = self.store.folders(owner).await?;
                let Some(folder) = folder_at(&folders, &path) else {
                    return unknown();
                };
                if self.store.decks_of(owner).await? >= MOST_DECKS {
                    return Ok(Outcome::code(ResponseCode::RespContextError));
                }
                self.store.new_deck(owner, folder, &name, &text).await?
            }
            (None, Some(id)) => match self.store.replace_deck(owner, id, &name, &text).await? {
                true => i64::from(id),
                false => return unknown(),
            },
            (None, None) => return Ok(Outcome::code(ResponseCode::RespInvalidData)),
        };
        let file = File {
            id,
            folder: 0,
            name,
            uploaded_s: unix_now() as u64,
        };
        Ok(Outcome::with(ResponseBody::DeckUpload(
            ResponseDeckUpload {
                new_file: Some(file_item(&file)),
            },
        )))
    }

    /// A stored deck, in the form that this server writes.
    async fn download(&self, text: String) -> Outcome {
        let written = tokio::task::spawn_blocking(move || {
            Deck::read(text.as_bytes()).map(|deck| deck.write())
        });
        match written.await {
            Ok(Ok(deck)) => Outcome::with(ResponseBody::DeckDownload(ResponseDeckDownload {
                deck: Some(deck.into()),
            })),
            // An older server has stored more than is read here.
            _ => Outcome::code(ResponseCode::RespInternalError),
        }
    }
}

/// The name under which a deck is stored, and its text; `None`: it is no deck. Up to some tens of milliseconds of plain work.
async fn read(deck: Bytes) -> Option<(String, String)> {
    let read = move || {
        let name = Deck::read_whole(&deck).map(|deck| deck.stored_name().to_owned());
        name.map(|name| (name, String::from_utf8_lossy(&deck).into_owned()))
    };
    let read: Result<Result<_, Refused>, _> = tokio::task::spawn_blocking(read).await;
    read.ok()?.ok()
}

/// The folder at a path; 0: the root.
fn folder_at(folders: &[Folder], path: &str) -> Option<i64> {
    let down = |parent: i64, name: &&str| {
        let is_it = |folder: &&Folder| folder.parent == parent && folder.name == **name;
        folders.iter().find(is_it).map(|folder| folder.id)
    };
    deck::folders(path).iter().try_fold(0, down)
}

/// Folders and decks by the folder they are in.
struct Tree<'a> {
    folders: HashMap<i64, Vec<&'a Folder>>,
    files: HashMap<i64, Vec<&'a File>>,
}

impl<'a> Tree<'a> {
    fn of(folders: &'a [Folder], files: &'a [File]) -> Self {
        let mut tree = Tree {
            folders: HashMap::new(),
            files: HashMap::new(),
        };
        for folder in folders {
            tree.folders.entry(folder.parent).or_default().push(folder);
        }
        for file in files {
            tree.files.entry(file.folder).or_default().push(file);
        }
        tree
    }

    /// What is in a folder: first other ones, then decks. What lies too deep, in a circle perhaps, is left out.
    fn folder(&self, id: i64, depth: usize) -> ServerInfoDeckStorageFolder<'a> {
        let mut items = Vec::new();
        if depth < DEPTH {
            for folder in self.folders.get(&id).into_iter().flatten() {
                items.push(ServerInfoDeckStorageTreeItem {
                    id: u32::try_from(folder.id).ok(),
                    name: Some((*folder.name).into()),
                    file: None,
                    folder: Some(self.folder(folder.id, depth + 1)),
                });
            }
        }
        let files = self.files.get(&id).into_iter().flatten();
        items.extend(files.map(|file| file_item(file)));
        ServerInfoDeckStorageFolder { items }
    }
}

fn file_item(file: &File) -> ServerInfoDeckStorageTreeItem<'_> {
    ServerInfoDeckStorageTreeItem {
        id: u32::try_from(file.id).ok(),
        name: Some((*file.name).into()),
        file: Some(ServerInfoDeckStorageFile {
            creation_time: u32::try_from(file.uploaded_s).ok(),
        }),
        folder: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(id: i64, parent: i64, name: &str) -> Folder {
        let name = name.to_owned();
        Folder { id, parent, name }
    }

    #[test]
    fn paths_lead_from_folder_to_folder() {
        let folders = [folder(1, 0, "a"), folder(2, 1, "b"), folder(3, 0, "b")];
        assert_eq!(folder_at(&folders, "a/b"), Some(2));
        assert_eq!(folder_at(&folders, "b"), Some(3));
        assert_eq!(folder_at(&folders, "b/a"), None);
        for root in ["", "/a", "a/"] {
            assert_eq!(folder_at(&folders, root), Some(0), "{root}");
        }
    }

    #[test]
    fn folders_in_a_circle_have_an_end() {
        let folders = [folder(1, 2, "a"), folder(2, 1, "b"), folder(3, 3, "c")];
        assert!(Tree::of(&folders, &[]).folder(0, 0).items.is_empty());
        Tree::of(&folders, &[]).folder(1, 0);
    }
}
