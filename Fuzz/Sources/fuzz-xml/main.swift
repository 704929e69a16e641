import FuzzSupport
import XMLBodies

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Printing a typed document must give one that is read as the same.
func checkType<Document: XMLDocument>(_ type: Document.Type, _ bytes: [UInt8], limits: XMLLimits) {
    guard let document = try? Document(parsing: bytes) else { return }
    guard let again = try? Document(parsing: document.bytes, limits: limits) else {
        fatalError("what was printed is not read")
    }
    // Tokens are read without the white space that text may still hold, so the second printing is the stable one.
    precondition((try? Document(parsing: again.bytes, limits: limits)) == again, "what was printed changed")
}

/// Reads any document and prints it; what is printed must be read as the same elements.
func check(_ bytes: [UInt8]) {
    guard let root = try? BodyElement(parsing: bytes) else { return }
    // All namespaces are declared on the root when printing, and escapes make text longer.
    var limits = XMLLimits()
    limits.maximumBytes = .max
    limits.maximumAttributes = .max
    limits.maximumNamespaces = .max
    let text = XMLWriter.document(root)
    guard let again = try? BodyElement(parsing: Array(text.utf8), limits: limits) else {
        fatalError("what was printed is not read")
    }
    precondition(again == root, "what was printed is read as something else")
    checkType(IMDNDocument.self, bytes, limits: limits)
    checkType(IsComposingDocument.self, bytes, limits: limits)
    checkType(RegistrationInfo.self, bytes, limits: limits)
    checkType(DialogInfo.self, bytes, limits: limits)
    checkType(ConferenceInfo.self, bytes, limits: limits)
    checkType(ResourceLists.self, bytes, limits: limits)
    checkType(FileTransferInfo.self, bytes, limits: limits)
    checkType(FileResumeInfo.self, bytes, limits: limits)
}

exit(runFuzzer(check))
