internal import XMLBodies

/// Decodes the XML bodies, each known by its root element.
struct XMLBodyDecoder: ProtocolDecoder {
    let name: String
    /// The local names of its root; empty for any.
    let roots: [String]
    let makeFields: @Sendable (BodyElement) throws(XMLError) -> [JSONValue.Member]

    func resembles(_ bytes: [UInt8]) -> Bool {
        let isMarkup = bytes.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D && $0 != 0x0A } == UInt8(ascii: "<")
        guard isMarkup || bytes.starts(with: [0xEF, 0xBB, 0xBF, UInt8(ascii: "<")]) else { return false }
        guard !self.roots.isEmpty else { return true }
        guard let root = Self.rootName(bytes) else { return false }
        return self.roots.contains(root)
    }

    /// The local name of the first element, found without judging the document, so that a broken one is still told
    /// to be of its kind.
    private static func rootName(_ bytes: [UInt8]) -> String? {
        let longestPrologue = 4096
        var rest = bytes.prefix(longestPrologue)
        while let open = rest.firstIndex(of: UInt8(ascii: "<")) {
            rest = rest[(open + 1)...]
            if rest.starts(with: "!--".utf8) {
                rest = rest.dropFirst(3)
                while !rest.isEmpty, !rest.starts(with: "-->".utf8) { rest = rest.dropFirst() }
                continue
            }
            guard let next = rest.first, next != UInt8(ascii: "?"), next != UInt8(ascii: "!") else { continue }
            let name = rest.prefix { ![0x20, 0x09, 0x0D, 0x0A, UInt8(ascii: "/"), UInt8(ascii: ">")].contains($0) }
            return name.split(separator: UInt8(ascii: ":")).last.map { String(decoding: $0, as: UTF8.self) }
        }
        return nil
    }

    func decode(_ bytes: [UInt8]) -> Decoding {
        do throws(XMLError) {
            let root = try BodyElement(parsing: bytes)
            guard self.roots.isEmpty || self.roots.contains(root.name.local) else {
                throw XMLError(.unexpectedRoot, "<\(self.roots.joined(separator: "> or <"))>")
            }
            let head: [JSONValue.Member] = [
                .init("root", .string(root.name.local)), .init("namespace", .string(root.name.namespace)),
            ]
            return .ok(head + (try self.makeFields(root)))
        } catch {
            return .rejected(.init(code: error.code.rawValue, offset: error.offset, expected: error.reason))
        }
    }

    static let all: [any ProtocolDecoder] = [
        XMLBodyDecoder(name: "imdn", roots: ["imdn"]) { root throws(XMLError) in
            Self.fields(of: try IMDNDocument(element: root))
        },
        XMLBodyDecoder(name: "iscomposing", roots: ["isComposing"]) { root throws(XMLError) in
            Self.fields(of: try IsComposingDocument(element: root))
        },
        XMLBodyDecoder(name: "reginfo", roots: ["reginfo"]) { root throws(XMLError) in
            Self.fields(of: try RegistrationInfo(element: root))
        },
        XMLBodyDecoder(name: "dialog-info", roots: ["dialog-info"]) { root throws(XMLError) in
            Self.fields(of: try DialogInfo(element: root))
        },
        XMLBodyDecoder(name: "conference-info", roots: ["conference-info"]) { root throws(XMLError) in
            Self.fields(of: try ConferenceInfo(element: root))
        },
        XMLBodyDecoder(name: "resource-lists", roots: ["resource-lists"]) { root throws(XMLError) in
            [.init("entries", .strings(try ResourceLists(element: root).entries.map(\.uri)))]
        },
        XMLBodyDecoder(name: "ft-http", roots: ["file"]) { root throws(XMLError) in
            Self.fields(of: try FileTransferInfo(element: root))
        },
        XMLBodyDecoder(name: "pidf", roots: ["presence"]) { root throws(XMLError) in Self.presenceFields(root) },
        XMLBodyDecoder(name: "watcherinfo", roots: ["watcherinfo"]) { root throws(XMLError) in
            Self.watcherFields(root)
        },
        XMLBodyDecoder(name: "xml", roots: []) { root throws(XMLError) in Self.commonFields(root) },
    ]
}
