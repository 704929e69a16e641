import Foundation
import Testing
import XMLBodies

@Suite("Example of the documentation")
struct DocumentationExampleTests {
    func example(_ received: [UInt8], _ versions: inout DocumentVersions, print: (String) -> Void) throws {
        let document = try RegistrationInfo(parsing: received)
        switch versions.received(version: document.version, state: document.state) {
        case .replace, .merge:
            for contact in document.registrations.flatMap(\.contacts) where contact.isActive {
                print(contact.displayName ?? contact.uri)
            }
        case .discard:
            break
        case .requestFullState:
            print("subscribe again")
        }
    }

    @Test("it tells the devices, and asks again after a gap")
    func runs() throws {
        var contact = RegistrationInfo.Contact(id: "1", isActive: true, event: .registered, uri: "sip:a@192.0.2.1")
        contact.displayName = "Laptop"
        let gone = RegistrationInfo.Contact(id: "2", isActive: false, event: .expired, uri: "sip:b@192.0.2.1")
        let registration = RegistrationInfo.Registration(
            addressOfRecord: "sip:a@example.com",
            id: "r",
            state: .active,
            contacts: [contact, gone]
        )
        var versions = DocumentVersions()
        var printed: [String] = []
        for (version, state) in [(0, DocumentState.full), (1, .partial), (1, .partial), (3, .partial)] {
            let document = RegistrationInfo(version: UInt64(version), state: state, registrations: [registration])
            try self.example(document.bytes, &versions) { printed.append($0) }
        }
        #expect(printed == ["Laptop", "Laptop", "subscribe again"])
    }

    @Test("it is the one in the catalogue")
    func same() throws {
        let tests = URL(filePath: #filePath)
        let root = tests.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(
            contentsOf: root.appending(path: "Sources/XMLBodies/XMLBodies.docc/XMLBodies.md"),
            encoding: .utf8
        )
        let code = try #require(page.split(separator: "```swift\n").last?.split(separator: "\n```").first)
        let indented = code.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.isEmpty ? "" : "        \($0)" }.joined(separator: "\n")
        #expect(try String(contentsOf: tests, encoding: .utf8).contains(indented))
    }
}
