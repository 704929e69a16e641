import BlobStore
import FoundationEssentials
import MemoryStore
import Store

enum TestStores {
    static func store() -> MemoryStore { MemoryStore() }

    static func blobs(_ folder: URL) throws -> any BlobFiles { try BlobStore(folder: folder.path) }
}
