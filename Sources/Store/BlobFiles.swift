public import MessagingCore

/// Where the bytes of blobs and uploads are; calls block, so they run on lanes of the caller's own.
///
/// A finished upload keeps a second name until ``discard(upload:)``, so that a crash between its files and its row
/// leaves neither an orphan nor a loss: recovery looks only at the uploads that are on disk.
public protocol BlobFiles: Sendable {
    /// Bytes of an upload that are on disk; 0 when there are none yet.
    func size(ofUpload id: String) throws -> Int64
    /// Appends at `offset`, which must be the size so far.
    /// - Returns: the new size.
    func append(toUpload id: String, at offset: Int64, _ bytes: [UInt8]) throws -> Int64
    /// Makes what was appended durable.
    func synchronise(upload id: String) throws
    /// Makes the upload a blob under its hash; the file is durable when this returns. Can be repeated.
    func finish(upload id: String) throws -> BlobHash
    /// Forgets an upload's own file; a blob made of it stays.
    func discard(upload id: String) throws
    /// Every upload on disk, with its hash if it was finished and not yet discarded.
    func uploadsOnDisk() throws -> [(id: String, hash: BlobHash?)]
    /// Takes the blob of a finished upload away again; the upload can be finished once more.
    func unfinish(upload id: String) throws
    /// At most `count` bytes from `offset`; fewer at the end.
    func read(_ hash: BlobHash, offset: Int64, count: Int) throws -> [UInt8]
    func unlink(_ hash: BlobHash) throws
    func exists(_ hash: BlobHash) throws -> Bool
}
