public import MessagingCore

/// Where the bytes of blobs and uploads are; calls block, so they run on lanes of the caller's own.
public protocol BlobFiles: Sendable {
    /// Bytes of an upload that are on disk; 0 when there are none yet.
    func size(ofUpload id: String) throws -> Int64
    /// Appends at `offset`, which must be the size so far.
    /// - Returns: the new size.
    func append(toUpload id: String, at offset: Int64, _ bytes: [UInt8]) throws -> Int64
    /// Makes what was appended durable.
    func synchronise(upload id: String) throws
    /// Makes the upload a blob under its hash; the file is durable when this returns.
    func finish(upload id: String) throws -> BlobHash
    func discard(upload id: String) throws
    /// At most `count` bytes from `offset`; fewer at the end.
    func read(_ hash: BlobHash, offset: Int64, count: Int) throws -> [UInt8]
    func unlink(_ hash: BlobHash) throws
    func exists(_ hash: BlobHash) throws -> Bool
}
