import CPIM
import FuzzSupport

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Reads an entity, its parts at any depth, and what they refer to.
func check(_ bytes: [UInt8]) {
    guard let entity = try? MIMEEntity(parsing: bytes) else { return }
    let printed = entity.bytes
    guard let again = try? MIMEEntity(parsing: printed) else { fatalError("what was printed is not read") }
    precondition(again.bytes == printed, "what was printed is printed differently")
    if let type = entity.mediaType {
        precondition((try? MediaType(type.description)) == type, "a media type is read as another")
    }
    _ = try? ExternalBody(entity)
    _ = try? entity.decodedBody()
    guard let leaves = try? entity.leaves() else { return }
    for leaf in leaves { _ = try? leaf.decodedBody() }
    let boundary = Multipart.boundary(for: leaves, seed: "x")
    let multipart = Multipart(subtype: "mixed", boundary: boundary, parts: leaves)
    guard leaves.count <= CPIMLimits.standard.maximumParts else { return }
    guard let parts = try? Multipart(multipart.entity).parts else { fatalError("a multipart made here is not read") }
    precondition(parts.map(\.bytes) == leaves.map(\.bytes), "parts changed")
}

exit(runFuzzer(check))
