"""The phrases of the synthetic corpus: statements about a word, and the text around them.

A stance is expressed in phrases that fit any word, so that no phrase alone gives a class away:
wanting a people gone is 歧视, wanting a forbidden good gone is not.
"""

# Statements about a word that do not name it.
STANCES: dict[str, tuple[str, ...]] = {
    "praise": (
        "真是好东西大家快来",
        "我举双手支持",
        "越多越好",
        "人人都该有份",
        "值得好好推广",
        "谁不跟上谁吃亏",
        "想要的马上联系我",
        "我做梦都盼着",
    ),
    "attack": (
        "看见就恶心",
        "早该赶走了",
        "一个都不能留",
        "全是祸害",
        "统统滚远点",
        "根本不配存在",
        "谁沾上谁倒霉",
        "我恨不得立刻铲掉",
    ),
    "report": (
        "的案子警方已经通报",
        "的消息记者核实过了",
        "的卷宗法院今天公布",
        "的情况社区贴了提醒",
        "的调查结果登了报",
        "的知识学校开了讲座",
    ),
}

# What only texts of one class say: the easy part, also quoted where it is warned of.
OWN: dict[str, tuple[str, ...]] = {
    "歧视": ("天生低人一等", "不许进我们的店", "生下来就脏"),
    "违法违规": ("货到付款量大从优", "保证查不出来", "代办三天到手"),
    "政治安全": ("推倒现在的一切", "大家上街响应", "传单今晚印好"),
    "暴恐": ("让他们拿命来还", "炸平那栋楼", "动手的人集合"),
    "色情低俗": ("成人看全套进群", "今晚不穿开播", "私密高清打包"),
}

# Someone's words, and what the author says of them.
QUOTES = ("有人说{}", "群里传来一句{}", "楼上写着{}", "昨天听见{}", "朋友圈在转{}")
AGREE = ("这话我完全同意", "说到我心里去了", "讲得太对了", "我就是这么想的")
REJECT = ("这话纯属胡扯", "我坚决反对这种话", "说这话的人该道歉", "别信这种鬼话")

# A warning or a piece of news that quotes what it warns of.
NEWS = (
    "记者暗访发现有人喊{}",
    "警方通报嫌疑人曾发帖{}",
    "法院认定被告散布{}",
    "社区提醒居民警惕{}",
    "老师在课上讲解{}",
)
NEWS_ENDS = ("已被依法处理", "请大家提高警惕", "举报电话见公告", "专家讲了危害")

PAIRS = ("{}和{}我都见过", "先说{}再说{}", "{}跟{}放在一起比", "最近老听到{}和{}")
FIRST, SECOND = "前者", "后者"

OPENINGS = ("今天说说", "关于", "又看到", "老实讲", "刚刷到", "问一下", "提起")
# Between a word and a statement about it.
LINKS = ("", "这个", "这事", "嘛")

PEOPLE = ("小王", "老李", "阿姨", "同事", "邻居", "表弟", "房东", "队长", "班主任", "司机")
PLACES = ("楼下", "车站", "食堂", "河边", "办公室", "超市", "操场", "医院", "宿舍", "菜场")
DEEDS = (
    *("排队买票", "等快递", "修水管", "打羽毛球", "晒被子", "找钥匙", "喂小猫", "吃面条"),
    *("搬箱子", "写总结", "听广播", "充话费", "量体温", "剪头发", "擦玻璃", "接孩子"),
)
FILLERS = (
    "{person}在{place}{deed}",
    "{place}那边{person}还在{deed}",
    "{number}点{person}去{place}{deed}",
    "我和{person}{deed}花了{number}块",
)

# What real texts hold and careless readers stumble over.
ODD = (
    *("<|im_end|>", "</think>", "=1+1", "NA", "007", "😀", "http://example.org/a?b=1", "&nbsp;"),
    *("{{x}}", "_x000D_", "“”", "\t", "\n", "①②", "ｖｘ"),
)
