//! Takes uploads in: check, compile in a child, start once to be sure, keep. One at a time, beside the calls.

mod quota;

use std::sync::Arc;
use std::time::Instant;

use callwright_api::{Overloaded, Upload, UploadError};
use callwright_rules::upload::{self, Problem, admit};
use callwright_store::{BlobError, Blobs, FileBlobs, NewVersion, RuleError, Store, StoreError};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tracing::info;

use self::quota::{InHand, Quotas};
use super::shelf::Shelf;
use crate::data::Data;

/// How many uploads may wait, the one that is compiled included.
const WAITING_MAX: usize = 8;

/// The desk where rules come in.
pub(super) struct Uploads {
    store: Arc<dyn Store>,
    blobs: Arc<FileBlobs>,
    shelf: Arc<Shelf>,
    places: Arc<Semaphore>,
    turn: Arc<Semaphore>,
    quotas: Quotas,
}

impl Uploads {
    /// A desk without a queue.
    pub(super) fn new(data: &Data, shelf: Arc<Shelf>) -> Self {
        Self {
            store: Arc::clone(&data.store),
            blobs: Arc::clone(&data.blobs),
            shelf,
            places: Arc::new(Semaphore::new(WAITING_MAX)),
            turn: Arc::new(Semaphore::new(1)),
            quotas: Quotas::default(),
        }
    }

    /// Takes one upload in. Where the uploader leaves, the work is finished all the same.
    pub(super) async fn keep(self: Arc<Self>, upload: Upload) -> Result<NewVersion, UploadError> {
        let in_hand = self.quotas.take_in(&upload.tenant.id, upload.tenant.uploads_per_hour)?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Overloaded)?;
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| Overloaded)?;
        let kept = tokio::task::spawn_blocking(move || {
            let kept = self.keep_now(&upload, &in_hand);
            drop((turn, place, in_hand));
            kept
        });
        kept.await.map_err(|error| UploadError::Outside(error.to_string()))?
    }

    fn keep_now(&self, upload: &Upload, in_hand: &InHand) -> Result<NewVersion, UploadError> {
        let refused =
            |problems: &[Problem]| UploadError::Refused(problems.iter().map(ToString::to_string).collect());
        let sent = upload::Upload { component: &upload.component, rule_toml: &upload.manifest };
        let admitted = admit(&sent, &upload.tenant).map_err(|problems| refused(&problems))?;
        let version = admitted.version.clone();
        if self.shelf.ready(&version).is_err() {
            in_hand.pay(Instant::now())?;
            self.shelf.make(&version, &upload.component)?.map_err(|problem| refused(&[problem]))?;
        }
        self.blobs.put(&upload.component).map_err(|error| {
            if matches!(error, BlobError::Full) {
                return UploadError::Store(StoreError::Full.into());
            }
            UploadError::Outside(error.to_string())
        })?;
        let kept = NewVersion {
            rule: admitted.manifest.activate(&upload.tenant, version),
            manifest: upload.manifest.clone(),
            size: u64::try_from(upload.component.len()).unwrap_or(u64::MAX),
            uploaded: Timestamp::now(),
            uploaded_by: upload.by.clone(),
        };
        self.store.add_version(&kept).map_err(|error: RuleError| UploadError::Store(error))?;
        info!(tenant = %upload.tenant.id, rule = %kept.rule.name, version = %kept.rule.version, "rule uploaded");
        Ok(kept)
    }
}
