"""The words of the made-up data platform: places, layers and files that do not exist."""

# Occur in rows of every split.
PLACES = (
    *("砚溪市", "雾桥区", "苔岭县", "栖枫镇", "岚浦市", "榆汀区", "芷川县", "鹭湾镇"),
    *("棠口市", "霁山区", "菱塘县", "琼坞镇", "梨坪市", "萤谷区", "墨屿县", "霜渡镇"),
    *("槐埠市", "竹泾区", "麓原县", "蓼洲镇", "钟渚市", "绢河区", "杏峡县", "陶垭镇"),
    *("石笠市", "云檐区", "青蓑县", "松磴镇", "莲埭市", "桑垄区", "月碛县", "枣店镇"),
)
LAYERS = (
    *("门牌", "路灯", "井盖", "管网", "绿地", "水系", "宗地", "楼栋"),
    *("公厕", "站点", "坡度", "林班", "电杆", "桥梁", "车位", "果园"),
)
# Occur in rows of the test split alone, tagged `unseen-place`.
NEW_PLACES = (
    *("珀水市", "茑沟区", "铃丘县", "帆嘴镇", "橙垣市", "暮台区", "翎浜县", "椿堰镇"),
    *("蕨甸市", "鲤坝区", "楠畈县", "珊滩镇"),
)
NEW_LAYERS = ("岸线", "苗圃", "闸门", "旱井", "粮仓", "界桩")

# Parts of file names, and how they are put together.
ENDINGS = ("xlsx", "csv", "shp", "pdf", "docx", "geojson", "zip", "txt")
# Without 2020 and 2022: digits are tokens, and a tiny model that copies by the token before it goes
# round in circles there.
YEARS = (*range(2015, 2020), 2021, *range(2023, 2027))
FILE_KINDS = ("成果", "清单", "普查表", "台账", "初稿", "底图", "统计")
FILE_NAMES = (
    "{place}{layer}{year}.{ending}",
    "{place}{layer}{kind}.{ending}",
    "{layer}_{place}_{year}.{ending}",
    "{place}-{kind}-v{digit}.{ending}",
    "{prefix}_{layer}{year}.{ending}",
    "{prefix}{year}.{ending}",
    "{year}{place}{layer}({digit}).{ending}",
)
PREFIXES = (
    *("gis", "map", "data", "export", "final", "draft", "backup", "layer"),
    *("copy", "new", "old", "report", "survey", "check", "city", "base"),
)
# Only in quotation marks: without an ending nothing else shows where such a name is.
TITLES = ("{place}{layer}{kind}", "{place}{layer}{year}年报告", "{year}年{place}{kind}")
QUOTATION_MARKS = ("“{}”", "《{}》", "「{}」", '"{}"')
# In quotation marks too, and no names of files.
STATES = ("已审核", "待复核", "草稿", "共享中", "需要重新清洗的部分")

# What general questions are about. The last ones are words of the platform: what one of them means
# is a general question, what happens to the data of a place is not.
TERMS = (
    *("机器学习", "坐标系", "数据库", "正则表达式", "分辨率", "云计算", "比例尺", "二进制"),
    *("防火墙", "压缩", "编码", "区块链", "图层", "元数据", "数据清洗", "去重", "权限", "目录"),
)
# What small talk is about.
FOODS = ("面条", "火锅", "饺子", "包子", "烤鱼", "豆花", "米粉", "馄饨")
PASTIMES = ("天气", "球赛", "电影", "笑话", "唱歌", "旅游", "星座", "养猫")
ERRANDS = ("翻译", "邮件", "算术", "机器学习", "数据库")
CHORES = ("清洗", "权限", "发布", "目录", "导出")

# A slip of the keyboard: another character of the same sound.
TYPOS = {
    "清洗": "请洗",
    "发布": "发部",
    "目录": "目路",
    "权限": "权现",
    "导出": "到出",
    "授权": "受权",
    "更新": "跟新",
    "重复": "从复",
    "图层": "图曾",
    "怎么": "怎末",
    "样式": "样试",
    "版本": "板本",
    "服务": "服物",
    "下载": "下栽",
    "天气": "天汽",
    "笑话": "笑活",
    "什么": "什末",
    "帮我": "帮窝",
    "文件": "文建",
    "打开": "打幵",
}
