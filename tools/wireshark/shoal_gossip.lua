-- Wireshark dissector of Shoal's gossip, version 2 (docs/protocol/gossip.md), in plain Lua.
--
--   wireshark -X lua_script:tools/wireshark/shoal_gossip.lua \
--     -o shoal_gossip.keys:/root/gossip.keys            (made by `shoal-state gossip-keys`)
--
-- With the keys it decrypts what the header's key opens. The tag is not checked: it covers the
-- receiver's id and epoch, which are not in the packet; damaged or forged packets show as nonsense.
-- Compressed bodies are decompressed where this Wireshark can (4.2 and later), else named.

local shoal = Proto("shoal_gossip", "Shoal gossip")

local kinds = {[1] = "datagram", [2] = "question", [3] = "answer", [4] = "open datagram"}
local types = {
  [1] = "Ping", [2] = "PingRequest", [3] = "Ack", [4] = "Testimony", [5] = "Claim", [6] = "EntryEvent",
  [7] = "Digest", [8] = "MemberDigests", [9] = "MemberDifference", [10] = "NetworkState",
  [11] = "Summary", [12] = "More", [255] = "Padding"
}
local reaches = {[1] = "stalled", [2] = "refused", [3] = "silent", [4] = "unknown"}
local claims = {[1] = "alive", [2] = "suspect", [3] = "failed", [4] = "left", [5] = "stalled"}

local f = {
  version = ProtoField.uint8("shoal_gossip.version", "Version"),
  kind = ProtoField.uint8("shoal_gossip.kind", "Kind", base.DEC, kinds),
  cluster = ProtoField.uint16("shoal_gossip.cluster", "Cluster tag", base.HEX),
  key = ProtoField.uint16("shoal_gossip.key", "Key (low 16 bits of its id)"),
  receiver = ProtoField.uint16("shoal_gossip.receiver", "Receiver tag", base.HEX),
  session = ProtoField.bytes("shoal_gossip.session", "Session"),
  counter = ProtoField.uint64("shoal_gossip.counter", "Counter"),
  sealed = ProtoField.bytes("shoal_gossip.sealed", "Sealed"),
  tag = ProtoField.bytes("shoal_gossip.tag", "Tag (not checked)"),
  whole = ProtoField.bool("shoal_gossip.whole_head", "Head is in it"),
  compressed = ProtoField.bool("shoal_gossip.compressed", "Compressed"),
  held = ProtoField.uint8("shoal_gossip.held", "Version held of the receiver's head"),
  head_version = ProtoField.uint8("shoal_gossip.head_version", "Version of the sender's head"),
  sender = ProtoField.string("shoal_gossip.sender", "Sender"),
  epoch = ProtoField.string("shoal_gossip.epoch", "Epoch"),
  address = ProtoField.string("shoal_gossip.address", "Address"),
  message = ProtoField.string("shoal_gossip.message", "Message"),
  body = ProtoField.bytes("shoal_gossip.body", "Body"),
  frame_length = ProtoField.uint32("shoal_gossip.frame_length", "Frame length"),
}
for _, field in pairs(f) do table.insert(shoal.fields, field) end

shoal.prefs.keys = Pref.string("Key file", "", "Output of `shoal-state gossip-keys`")
shoal.prefs.port = Pref.uint("Port", 7946, "UDP and TCP port of gossip")

-- XChaCha20 (draft-irtf-cfrg-xchacha): HChaCha20 makes a key of the first 16 bytes of the nonce,
-- ChaCha20 from block 1 does the rest. Numbers are 32-bit, with the library Wireshark brings.

local band, bor, bxor = bit.band, bit.bor, bit.bxor
local lshift, rshift, rol = bit.lshift, bit.rshift, bit.rol

local function quarter(x, a, b, c, d)
  x[a] = band(x[a] + x[b], 0xffffffff); x[d] = rol(bxor(x[d], x[a]), 16)
  x[c] = band(x[c] + x[d], 0xffffffff); x[b] = rol(bxor(x[b], x[c]), 12)
  x[a] = band(x[a] + x[b], 0xffffffff); x[d] = rol(bxor(x[d], x[a]), 8)
  x[c] = band(x[c] + x[d], 0xffffffff); x[b] = rol(bxor(x[b], x[c]), 7)
end

local function rounds(x)
  for _ = 1, 10 do
    quarter(x, 1, 5, 9, 13); quarter(x, 2, 6, 10, 14)
    quarter(x, 3, 7, 11, 15); quarter(x, 4, 8, 12, 16)
    quarter(x, 1, 6, 11, 16); quarter(x, 2, 7, 12, 13)
    quarter(x, 3, 8, 9, 14); quarter(x, 4, 5, 10, 15)
  end
end

local function word(text, at)
  local a, b, c, d = text:byte(at, at + 3)
  return bor(a, lshift(b, 8), lshift(c, 16), lshift(d, 24))
end

local function state(key_words, last)
  local x = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}
  for i = 1, 8 do x[4 + i] = key_words[i] end
  for i = 1, 4 do x[12 + i] = last[i] end
  return x
end

local function hchacha(key, nonce)
  local words, last = {}, {}
  for i = 1, 8 do words[i] = word(key, 4 * i - 3) end
  for i = 1, 4 do last[i] = word(nonce, 4 * i - 3) end
  local x = state(words, last)
  rounds(x)
  return {x[1], x[2], x[3], x[4], x[13], x[14], x[15], x[16]}
end

local function xchacha(key, nonce, text)
  local subkey = hchacha(key, nonce)
  local last = {0, 0, word(nonce, 17), word(nonce, 21)}
  local out = {}
  for block = 1, math.ceil(#text / 64) do
    last[1] = block
    local first, x = state(subkey, last), state(subkey, last)
    rounds(x)
    for i = 1, 16 do
      local stream = band(x[i] + first[i], 0xffffffff)
      for shift = 0, 24, 8 do
        local byte = text:byte(#out + 1)
        if not byte then break end
        out[#out + 1] = string.char(bxor(byte, band(rshift(stream, shift), 0xff)))
      end
    end
  end
  return table.concat(out)
end

local function unhex(text)
  return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local keys, keys_of = {}, nil
local function key_for(tag)
  if keys_of ~= shoal.prefs.keys then
    keys, keys_of = {}, shoal.prefs.keys
    local file = io.open(keys_of, "r")
    if file then
      for line in file:lines() do
        local id, hex = line:match("^(%d+)%s+(%x+)%s*$")
        if id and #hex == 64 then keys[tonumber(id) % 65536] = unhex(hex) end
      end
      file:close()
    end
  end
  return keys[tag]
end

-- Reading plain packets. `at` counts from 0; a read beyond the end is an error, which the caller
-- of pcall turns into "malformed".

local digits = "0123456789abcdefghijklmnopqrstuvwxyz"

-- Twelve digits of a number of 8 bytes: long division, byte by byte.
local function base36(tvb, at)
  local bytes, text = {}, ""
  for i = 1, 8 do bytes[i] = tvb(at + i - 1, 1):uint() end
  for _ = 1, 12 do
    local rest = 0
    for i = 1, 8 do
      local value = rest * 256 + bytes[i]
      bytes[i] = math.floor(value / 36)
      rest = value % 36
    end
    text = digits:sub(rest + 1, rest + 1) .. text
  end
  return text
end

local function read_id(tvb, at)
  local last = tvb(at + 16, 1):uint()
  return base36(tvb, at) .. base36(tvb, at + 8) .. digits:sub(last + 1, last + 1), at + 17
end

-- Exact up to 2^53; what is above is shown rounded.
local function varint(tvb, at)
  local value, scale = 0, 1
  while true do
    local byte = tvb(at, 1):uint()
    value, scale, at = value + (byte % 128) * scale, scale * 128, at + 1
    if byte < 128 then return value, at end
  end
end

local function number(value) return string.format("%.0f", value) end

local function address(tvb, at)
  local family = tvb(at, 1):uint()
  local size = family == 4 and 4 or 16
  local ip = family == 4 and tostring(tvb(at + 1, 4):ipv4())
      or "[" .. tostring(tvb(at + 1, 16):ipv6()) .. "]"
  return ip .. ":" .. tvb(at + 1 + size, 2):uint(), at + 3 + size
end

-- What a body says in a line; nil where the bytes are enough.
local describe = {
  [1] = function(t)
    local text = "number " .. t(0, 4):uint()
    return t(4, 1):uint() == 1 and text .. " to " .. read_id(t, 5) or text .. " to whoever listens"
  end,
  [2] = function(t)
    local target, at = read_id(t, 4)
    return "number " .. t(0, 4):uint() .. " for " .. target .. " at " .. (address(t, at))
  end,
  [3] = function(t) return "number " .. t(0, 4):uint() end,
  [4] = function(t)
    return "number " .. t(0, 4):uint() .. ", " .. (reaches[t(4, 1):uint()] or "?")
  end,
  [5] = function(t)
    local id, at = read_id(t, 1)
    local epoch, refuted, where
    epoch, at = varint(t, at)
    refuted, at = varint(t, at)
    where = address(t, at)
    local kind = claims[t(0, 1):uint() % 128] or "?"
    return id .. " is " .. kind .. ", epoch " .. number(epoch) .. "." .. number(refuted) .. ", at "
        .. where
  end,
  [6] = function(t)
    local network, at = read_id(t, 0)
    local owner, epoch, sequence, size
    owner, at = read_id(t, at)
    epoch, at = varint(t, at)
    sequence, at = varint(t, at)
    local deleted = t(at, 1):uint() == 1
    size, at = varint(t, at + 1)
    return (deleted and "deleted " or "put ") .. t(at, size):string() .. " of " .. owner .. " in "
        .. network .. ", epoch " .. number(epoch) .. " event " .. number(sequence)
  end,
}

local function messages(tvb, at, tree, info)
  while at < tvb:len() do
    local start, kind = at, tvb(at, 1):uint()
    local size
    size, at = varint(tvb, at + 1)
    local name = types[kind] or ("type " .. kind)
    local item = tree:add(f.message, tvb(start, at + size - start), name)
    table.insert(info, name)
    if size > 0 then
      local body = tvb(at, size)
      local known = describe[kind]
      local ok, text = false, nil
      if known then ok, text = pcall(known, body:tvb()) end
      if ok and text then item:append_text(": " .. text) end
      if known and not ok then item:append_text(": malformed") end
      item:add(f.body, body)
    end
    at = at + size
  end
end

local function plain(tvb, tree, info)
  local flags = tvb(0, 1):uint()
  tree:add(f.whole, tvb(0, 1), flags % 2 == 1)
  tree:add(f.compressed, tvb(0, 1), math.floor(flags / 2) % 2 == 1)
  tree:add(f.held, tvb(1, 1))
  local at = 2
  if flags % 2 == 1 then
    tree:add(f.head_version, tvb(2, 1))
    local sender, from, epoch, refuted, where
    sender, at = read_id(tvb, 3)
    tree:add(f.sender, tvb(3, 17), sender)
    from = at
    epoch, at = varint(tvb, at)
    refuted, at = varint(tvb, at)
    tree:add(f.epoch, tvb(from, at - from), number(epoch) .. "." .. number(refuted))
    from = at
    where, at = address(tvb, at)
    tree:add(f.address, tvb(from, at - from), where)
  end
  if math.floor(flags / 2) % 2 == 0 then return messages(tvb, at, tree, info) end
  local body = tvb(at + 4)
  local ok, whole = pcall(function() return body:uncompress_zstd("Expanded") end)
  if ok and whole then return messages(whole:tvb(), 0, tree, info) end
  tree:add(f.body, body):append_text(" (zstd, " .. tvb(at, 4):uint() .. " bytes expanded)")
  table.insert(info, "compressed")
end

local header_size, tag_size = 24, 16

local function packet(tvb, pinfo, tree)
  if tvb:len() < header_size + tag_size or tvb(0, 2):string() ~= "Sg" then return 0 end
  pinfo.cols.protocol = "ShoalGossip"
  local kind = tvb(3, 1):uint()
  local root = tree:add(shoal, tvb(), "Shoal gossip, " .. (kinds[kind] or "kind " .. kind))
  root:add(f.version, tvb(2, 1))
  root:add(f.kind, tvb(3, 1))
  if tvb(2, 1):uint() ~= 2 then
    pinfo.cols.info = "version " .. tvb(2, 1):uint()
    return tvb:len()
  end
  root:add(f.cluster, tvb(4, 2))
  root:add(f.key, tvb(6, 2))
  root:add(f.receiver, tvb(8, 2))
  root:add(f.session, tvb(10, 8))
  root:add(f.counter, tvb(18, 6))
  local size = tvb:len() - header_size - tag_size
  local info = {}
  local key = key_for(tvb(6, 2):uint())
  if key and size > 0 then
    -- The nonce: session, counter, kind, and zeros.
    local nonce = tvb:raw(10, 14) .. string.char(kind) .. string.rep("\0", 9)
    local text = xchacha(key, nonce, tvb:raw(header_size, size))
    local opened = ByteArray.new(text, true):tvb("Opened gossip")
    if not pcall(plain, opened, root, info) then table.insert(info, "malformed") end
  elseif size > 0 then
    root:add(f.sealed, tvb(header_size, size))
    table.insert(info, "sealed with key " .. tvb(6, 2):uint())
  end
  root:add(f.tag, tvb(tvb:len() - tag_size))
  pinfo.cols.info = (kinds[kind] or "?") .. ": " .. table.concat(info, ", ")
  return tvb:len()
end

local function frame_length(tvb) return 4 + tvb(0, 4):uint() end
local function frame(tvb, pinfo, tree)
  tree:add(f.frame_length, tvb(0, 4))
  return 4 + packet(tvb(4):tvb(), pinfo, tree)
end

function shoal.dissector(tvb, pinfo, tree)
  if pinfo.port_type == 2 then  -- TCP
    dissect_tcp_pdus(tvb, tree, 4, frame_length, frame)
    return tvb:len()
  end
  return packet(tvb, pinfo, tree)
end

local registered
local function register()
  for _, transport in pairs({"udp.port", "tcp.port"}) do
    local ports = DissectorTable.get(transport)
    if registered then ports:remove(registered, shoal) end
    ports:add(shoal.prefs.port, shoal)
  end
  registered = shoal.prefs.port
end
shoal.prefs_changed = register
register()
