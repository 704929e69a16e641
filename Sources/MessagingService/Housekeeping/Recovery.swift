import MessagingCore
import Store

extension MessagingService {
    /// Brings files and rows together after a crash: a blob whose row was never committed goes away again, an upload
    /// without a row is discarded, and one that was finished and committed loses its second name.
    func recoverFiles() async throws {
        let pending = try await onFiles("recovery") { try $0.uploadsOnDisk() }
        for upload in pending {
            let (row, blob) = try await read { view in
                (try view.upload(upload.id), try upload.hash.flatMap { try view.blob($0) })
            }
            if upload.hash != nil, blob == nil {
                try await onFiles(upload.id) { try $0.unfinish(upload: upload.id) }
            }
            if row == nil || row?.hash != nil {
                try await onFiles(upload.id) { try $0.discard(upload: upload.id) }
            }
        }
    }
}
