"""liblinphone as a phone that has no screen: registers, writes, reads, watches, and calls with a tone for a voice.

Its library is driven directly, because only so can it be told to use CPIM and to mark a message as read.
"""

import ctypes
import math
import os
import struct
import sys
import tempfile
import time
import wave

from client import commands, tell

account = dict(zip(["address", "user", "password", "realm", "port", "transport"], sys.argv[1:]))
home = tempfile.mkdtemp()
os.environ["HOME"] = home
os.makedirs(home + "/.local/share/linphone")

library = ctypes.CDLL("liblinphone.so.10")


class Call:
    """Functions of the library; pointers are numbers of 64 bits."""

    def __getattr__(self, name):
        function = getattr(library, "linphone_" + name)
        function.restype = ctypes.c_void_p

        def call(*arguments):
            return function(*[
                ctypes.c_void_p(value) if isinstance(value, int) and not isinstance(value, bool) and value > 0xFFFFFFFF
                else value.encode() if isinstance(value, str) else value
                for value in arguments
            ])

        return call


linphone = Call()


def text(pointer):
    return ctypes.string_at(pointer).decode() if pointer else None


def uri(address):
    return text(linphone.address_as_string_uri_only(address))


server = f"sip:127.0.0.1:{account['port']};transport={account['transport']}"
configuration = f"""
[sip]
default_proxy=0
sip_port=-1
sip_tcp_port=-1
sip_tls_port=-1
bind_address=127.0.0.1
use_ipv6=0
register_only_when_network_is_up=0
[proxy_0]
reg_proxy=<{server}>
reg_route=<{server};lr>
reg_identity=<{account['address']}>
reg_sendregister=0
reg_expires=300
[auth_info_0]
username={account['address'].split(':')[1].split('@')[0]}
userid={account['user']}
passwd={account['password']}
realm={account['realm']}
"""

pointer, integer = ctypes.c_void_p, ctypes.c_int
linphone.logging_service_set_log_level_mask(linphone.logging_service_get(), 0)
factory = linphone.factory_get()
core = linphone.factory_create_core_with_config_3(
    factory, linphone.factory_create_config_from_string(factory, configuration), None
)
received = {}


@ctypes.CFUNCTYPE(None, pointer, pointer, integer, ctypes.c_char_p)
def on_account(_, __, state, ___):
    names = ["none", "progress", "ok", "cleared", "failed", "refreshing"]
    tell("registration", state=names[state] if state < len(names) else str(state))


@ctypes.CFUNCTYPE(None, pointer, pointer, pointer)
def on_message(_, room, message):
    body = text(linphone.chat_message_get_utf8_text(message))
    received[body] = room
    tell("message", text=body, sender=uri(linphone.chat_message_get_from_address(message)))


@ctypes.CFUNCTYPE(None, pointer, pointer)
def on_composing(_, room):
    tell("composing")


@ctypes.CFUNCTYPE(None, pointer, pointer, ctypes.c_char_p, pointer)
def on_notify(_, event, package, content):
    tell("notify", package=package.decode(), body=text(linphone.content_get_utf8_text(content)) if content else "")


@ctypes.CFUNCTYPE(None, pointer, integer)
def on_state(message, state):
    names = ["idle", "in-progress", "delivered", "not-delivered", "file-error", "file-done", "delivered-to-user",
             "displayed"]
    tell("state", text=text(linphone.chat_message_get_utf8_text(message)),
         state=names[state] if state < len(names) else str(state))


@ctypes.CFUNCTYPE(None, pointer, pointer, integer, ctypes.c_char_p)
def on_call(_, call, state, ___):
    global current
    names = {1: "incoming", 7: "connected", 8: "running", 13: "failed", 14: "ended"}
    if state == 1:
        waiting.append(call)
    if state in (1, 3):
        current = call
    tell("call", state=names.get(state, str(state)))


@ctypes.CFUNCTYPE(None, pointer, pointer, integer)
def on_transfer(_, __, state):
    tell("transfer", status={7: 200, 13: 400}.get(state, 100))


current = None
waiting = []
heard = home + "/heard.wav"
with wave.open(home + "/tone.wav", "wb") as tone:
    tone.setnchannels(1)
    tone.setsampwidth(2)
    tone.setframerate(8000)
    samples = [int(9000 * math.sin(2 * math.pi * 700 * at / 8000)) for at in range(8000 * 60)]
    tone.writeframes(struct.pack(f"<{len(samples)}h", *samples))

callbacks = linphone.factory_create_core_cbs(factory)
linphone.core_cbs_set_call_state_changed(callbacks, on_call)
linphone.core_cbs_set_transfer_state_changed(callbacks, on_transfer)
linphone.core_cbs_set_account_registration_state_changed(callbacks, on_account)
linphone.core_cbs_set_message_received(callbacks, on_message)
linphone.core_cbs_set_is_composing_received(callbacks, on_composing)
linphone.core_cbs_set_notify_received(callbacks, on_notify)
linphone.core_add_callbacks(core, callbacks)
sent = linphone.factory_create_chat_message_cbs(factory)
linphone.chat_message_cbs_set_msg_state_changed(sent, on_state)
linphone.core_set_use_files(core, 1)
linphone.core_set_play_file(core, home + "/tone.wav")
linphone.core_set_record_file(core, heard)
linphone.core_start(core)
own = linphone.core_get_default_account(core)
parameters = linphone.account_params_clone(linphone.account_get_params(own))
linphone.account_params_enable_cpim_in_basic_chat_room(parameters, True)
linphone.account_params_set_register_enabled(parameters, True)
linphone.account_set_params(own, parameters)


def room(address):
    return linphone.core_get_chat_room(core, linphone.factory_create_address(factory, address))


def do(command):
    match command["do"]:
        case "send":
            message = linphone.chat_room_create_message_from_utf8(room(command["to"]), command["text"])
            linphone.chat_message_add_callbacks(message, sent)
            linphone.chat_message_send(message)
        case "type":
            linphone.chat_room_compose(room(command["to"]))
        case "read":
            linphone.chat_room_mark_as_read(received[command["text"]])
        case "watch":
            event = linphone.core_create_subscribe(
                core, linphone.factory_create_address(factory, account["address"]), command["package"], 300
            )
            linphone.event_send_subscribe(event, None)
        case "call":
            parameters = linphone.core_create_call_params(core, None)
            linphone.call_params_enable_video(parameters, False)
            if "replaces" in command:
                linphone.call_params_add_custom_header(parameters, "Replaces", command["replaces"])
            address = linphone.factory_create_address(factory, command["to"])
            tell("recording", text=heard)
            linphone.core_invite_address_with_params(core, address, parameters)
        case "refer":
            linphone.call_transfer_to(current, linphone.factory_create_address(factory, command["to"]))
        case "hangup":
            linphone.call_terminate(current)
        case "end":
            linphone.core_stop(core)
            os._exit(0)


while True:
    linphone.core_iterate(core)
    while waiting:
        tell("recording", text=heard)
        linphone.call_accept(waiting.pop())
    for command in commands():
        do(command)
    time.sleep(0.02)
